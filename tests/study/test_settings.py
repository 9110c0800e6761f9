"""Every key of the schema: another value changes what it should, and nothing else.

For each key there is a case in one of the modules ``settings_of_*``. Two things are looked at: what
the plan changes (parameters, inputs, outputs and environments of jobs), and what the scripts of
those jobs then do, on a data set that one can check by eye.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import schema_keys
import setting_cases
import settings_base
import settings_of_data
import settings_of_detectors
import settings_of_maps
import settings_of_models
import settings_of_pseudo_labels
import settings_of_results
import settings_of_searches
import settings_of_starts
import settings_of_training
from cellseg.study import runs as studies
from cellseg.study import validation
from cellseg.study.segmentation_methods import OF_INSTANCES
from learners_made import MODELS, RUNS, learner
from planned_jobs import Change, Plan, changes
from setting_cases import ABSENT, OTHER, Case, World

CASES: list[Case] = [
    *settings_of_data.CASES,
    *settings_of_training.CASES,
    *settings_of_models.CASES,
    *settings_of_maps.CASES,
    *settings_of_results.CASES,
    *settings_of_searches.CASES,
    *settings_of_detectors.CASES,
    *settings_of_starts.CASES,
    *settings_of_pseudo_labels.CASES,
]
ROUNDS = setting_cases.rounds(CASES)
"""Cases and values that are planned together."""

SOME = (".kind", ".family", ".backbone", ".window", ".size", ".folds.ensemble")
"""Keys of many choices, or of some that another case has, of which a few show that they count; and
one whose default cannot be told from being left out, since the subset stands for its folds."""
OVERRIDING = tuple(
    f"models.*<{family}>.{block}."
    for family in (*MODELS, *settings_of_models.OF_PACKAGES, *settings_of_detectors.NAMES)
    for block in ("heads", "training")
)
"""Keys that mean what those of the study's `training` do."""


def _key(values: dict) -> str:
    return repr(sorted(values.items(), key=repr))


def _name(argument: object) -> str | None:
    return argument.key if isinstance(argument, Case) else None


@dataclass
class Walk:
    """All plans, made once: of what each case has given, and of each round of values."""

    checkout: Path
    root: Path
    schema: dict

    def __post_init__(self) -> None:
        self.plans: dict[str, Plan] = {}
        self.studies: dict[str, dict] = {}
        self.changes: dict[str, dict[Change, tuple]] = {}

    def study(self, values: dict) -> dict:
        key = _key(values)
        if key not in self.studies:
            changed = setting_cases.changed(settings_base.BASE, values)
            self.studies[key] = validation.resolve(changed, self.schema)
        return self.studies[key]

    def plan(self, values: dict) -> Plan:
        key = _key(values)
        if key not in self.plans:
            changed = setting_cases.changed(settings_base.BASE, values)
            self.plans[key] = settings_base.plan(
                self.checkout, self.root, changed, self.study(values)
            )
        return self.plans[key]

    def base(self, case: Case) -> Plan:
        return self.plan(dict(case.given))

    def round_of(self, case: Case, value: object) -> list[tuple[Case, object]]:
        return next(one for one in ROUNDS if any(c is case and v is value for c, v in one))

    def found(self, together: list[tuple[Case, object]]) -> dict[Change, tuple]:
        """What the cases of a round change in the plan."""
        key = str(ROUNDS.index(together))
        if key not in self.changes:
            given = dict(together[0][0].given)
            values = {**given, **{case.at: value for case, value in together}}
            self.changes[key] = changes(self.plan(given), self.plan(values))
        return self.changes[key]

    def world(self, case: Case, number: int, folder: Path) -> World:
        value = case.seen[number][0]
        values = {**case.given, **({case.at: value} if number else {})}
        plan = self.base(case)
        if number and case.alone:
            plan = self.plan(values)
        elif number:
            found = self.found(self.round_of(case, value))
            own = setting_cases.own_changes(case, found)
            plan = setting_cases.with_changes(plan, own)
        return World(self.study(values), plan, self.root, folder)


@pytest.fixture(scope="module")
def walk(checkout, tmp_path_factory):
    root = tmp_path_factory.mktemp("settings")
    schema = yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())
    settings_base.write(root)
    walk = Walk(checkout, root, schema)
    study = walk.study({})
    run = studies.run_settings(study, "unet", settings_base.COMMON, "full", 0)
    settings_base.write_runs(root, run)
    settings_base.make_data(World(study, walk.plan({}), root, root))
    settings_base.write_predictions(root)
    return walk


def test_every_key_has_a_case_and_every_case_a_key(walk):
    keys = set(schema_keys.leaves(walk.schema))
    cases = Counter(case.key for case in CASES)
    assert sorted(keys - cases.keys() - settings_of_detectors.REFUSED) == [], (
        "keys that nothing shows to change anything"
    )
    assert sorted(cases.keys() - keys) == [], "cases of no key"
    assert [key for key, number in cases.items() if number > 1] == []


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_case_has_values_that_differ(case, walk):
    """Also: the first value is what the base study says, and choices leave none out."""
    study = walk.study(dict(case.given))
    value: object = study
    for part in setting_cases.parts(case.at):
        if value != ABSENT:
            value = value.get(part, ABSENT) if isinstance(value, dict) else value[part]
    given = case.seen[0][0]
    if isinstance(value, dict) and isinstance(given, dict):
        value = {key: value[key] for key in given}
    assert value == given
    seen = [repr(seen) for _, seen in case.seen if seen is not OTHER]
    assert len(case.seen) > 1 and len(set(seen)) == len(seen)
    if not case.key.endswith(SOME) and not case.key.startswith(OVERRIDING):
        values = [value for value, _ in case.seen]
        # settings_of_detectors.py has what other networks cannot have.
        values += [OF_INSTANCES] if case.key.endswith(".method") else []
        assert [one for one in schema_keys.values(walk.schema, case.key) if one not in values] == []


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_the_plan_changes_what_a_key_decides(case, walk):
    for value, _ in case.seen[1:]:
        found = walk.found(walk.round_of(case, value))
        assert setting_cases.missing_changes(case, walk.base(case), found) == []


@pytest.mark.parametrize("number", range(len(ROUNDS)))
def test_the_plan_changes_nothing_else(number, walk):
    """Of a round of cases that are planned together: each change is of one of them."""
    together = ROUNDS[number]
    found = walk.found(together)
    owned = [setting_cases.own_changes(case, found) for case, _ in together]
    claims = Counter(change for changes in owned for change in changes)
    names = ", ".join(case.at for case, _ in together)
    unexpected = {change: found[change] for change in sorted(found.keys() - claims.keys())}
    assert not unexpected, f"changed by one of {names}"
    assert [change for change, number in claims.items() if number > 1] == [], names


@pytest.mark.filterwarnings("ignore")  # of libraries, in scripts that show them
@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_value_reaches_what_it_decides(case, walk, tmp_path):
    seen = []
    for number, (value, expected) in enumerate(case.seen):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = case.sees(walk.world(case, number, folder))
        if expected is not OTHER:
            assert found == pytest.approx(expected), f"{case.at}: {value!r}"
        seen.append(repr(found))
    assert len(set(seen)) == len(seen), f"{case.at}: values that change nothing"


@pytest.mark.filterwarnings("ignore")
def test_a_seed_decides_images_and_first_weights(walk, tmp_path):
    """Of a seeded subset; the same seed decides the same."""
    plan = walk.plan({})

    def seen(seed: int, number: int) -> list:
        folder = tmp_path / f"{seed}-{number}"
        folder.mkdir()
        trainings = {(job.label, "params.settings.seed"): (0, seed) for job in plan.find("train *")}
        world = World(
            walk.study({}), setting_cases.with_changes(plan, trainings), walk.root, folder
        )
        first = [learner(world, one).weights for one in RUNS]
        return [settings_of_data.chosen(world)["train"], *first]

    one, again, other = seen(0, 0), seen(0, 1), seen(4, 0)
    assert one == again
    assert [a == b for a, b in zip(one, other, strict=True)] == [False] * 4
