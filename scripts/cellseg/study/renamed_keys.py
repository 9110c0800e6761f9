"""Keys and values of configurations that have another name now: refused, with the new one.

The names changed once, to the words of the field. Former names are not translated: a configuration
says what it means in one way only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cellseg.errors import UserError

ANY = "*"
"""In a place: each name of a mapping."""


@dataclass(frozen=True)
class Renamed:
    """A key that has another name now, or whose values have.

    Attributes
    ----------
    place : present names of the keys around it, joined by dots; "" is the top level
    old : the former key
    new : what to write instead: a key, or a sentence that says more
    values : by former value, the present one
    """

    place: str
    old: str
    new: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys around it."""
        return tuple(self.place.split(".")) if self.place else ()

    def line(self, where: tuple[str, ...], value: object) -> str | None:
        """What to say of the key in a place, or None where there is nothing to say."""
        given = str(value)
        if given in self.values:
            now = f"`{self.old}: {given}` is now `{self.new}: {self.values[given]}`"
            return f"- {'.'.join(where) or 'the top level'}: {now}"
        if self.old == self.new:
            return None
        now = self.new if " " in self.new else f"is now `{self.new}`"
        return f"- {'.'.join((*where, self.old))} {now}"


DUPLICATES = {"deduplicated": "drop", "as-published": "keep"}
GONE = "is gone: it changed nothing. Leave it out"
ONE_NORM = "is now `clipnorm` or, with `clip_norm_by: global`, `global_clipnorm`"
NORM_BY = "is now the name of the norm: `clipnorm` (variable) or `global_clipnorm` (global)"

RENAMED = [
    Renamed("", "tunings", "threshold_searches"),
    Renamed("", "searches", "hyperparameter_searches"),
    Renamed("", "extension", "synthesis"),
    Renamed("", "keep_maps", "keep_predictions"),
    Renamed("datasets.*", "policy", "duplicates", DUPLICATES),
    Renamed("datasets.*", "duplicates", "duplicates", DUPLICATES),
    Renamed("datasets.*", "overlap", "overlap_policy"),
    Renamed("tilings.*", "overlap", "tile_overlap"),
    Renamed("subsets.*", "extend", "synthetic_per_image"),
    Renamed("prediction", "overlap", "window_overlap"),
    Renamed("prediction", "flips", "test_time_augmentation.flips"),
    Renamed("prediction", "rotations", "test_time_augmentation.rotations"),
    Renamed("prediction", "scales", "test_time_augmentation.scales"),
    Renamed("", "watershed", "segmentation"),
    Renamed("segmentation", "small_objects_threshold", "min_size"),
    Renamed("threshold_searches.*", "small_objects_threshold", "min_size"),
    Renamed("threshold_searches.*", "every", "subsample"),
    Renamed("scoring", "small_objects_threshold", "min_size"),
    Renamed("scoring", "every", "subsample"),
    Renamed("hyperparameter_searches.*", "tuning", "threshold_search"),
    Renamed("hyperparameter_searches.*", "keep_one_in", "reduction_factor"),
    Renamed("experiments.*", "tuning", "threshold_search"),
    Renamed("experiments.*", "runs", "conditions"),
    Renamed("models.*", "leak", "negative_slope"),
    Renamed("models.*", "pyramid_levels", GONE),
    *(
        Renamed(place, old, new)
        for place in ("training", "models.*.training")
        for old, new in (
            ("keep", "checkpoint"),
            ("clip_norm", ONE_NORM),
            ("clip_norm_by", NORM_BY),
            ("batch_norm_batches", "precise_batch_norm_batches"),
        )
    ),
]
"""All of them. Spaces of hyperparameter searches change models and are looked at as such."""

FORMER = {row.new: row.old for row in RENAMED if not row.place}
"""By present name of a block, the former one, whose keys are looked at as well."""
OF_MODELS = [row for row in RENAMED if row.keys[:2] == ("models", ANY)]


def refuse(config: Mapping) -> None:
    """Refuse a configuration with former keys or values.

    Parameters
    ----------
    config : as read from YAML, with names that are text

    Raises
    ------
    UserError
        A line for each former key or value, with the present one.
    """
    lines = [line for row in RENAMED for line in _lines(row, config, row.keys, ())]
    spaces = _mappings(config, ("hyperparameter_searches", ANY, "space"), ())
    lines += [line for where, space in spaces for line in _lines_of_space(space, where)]
    if lines:
        head = "the configuration has keys of an earlier version (CHANGELOG.md lists all of them):"
        raise UserError("\n".join([head, *dict.fromkeys(lines)]))


def _lines(
    row: Renamed, value: object, keys: tuple[str, ...], where: tuple[str, ...]
) -> Iterator[str]:
    for place, mapping in _mappings(value, keys, where):
        if row.old in mapping and (line := row.line(place, mapping[row.old])):
            yield line


def _mappings(
    value: object, keys: tuple[str, ...], where: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mapping]]:
    """Mappings to which `keys` lead, by present or former names, and where each one is."""
    if not isinstance(value, Mapping):
        return
    if not keys:
        yield where, value
        return
    first, *rest = keys
    names = list(value) if first == ANY else [first, FORMER.get(first, first)]
    for name in dict.fromkeys(names):
        if name in value:
            yield from _mappings(value[name], tuple(rest), (*where, name))


def _lines_of_space(space: Mapping, where: tuple[str, ...]) -> Iterator[str]:
    """Former keys of models in a search's space: in the parameters' names, in values, in sets."""
    for name, choice in space.items():
        if isinstance(choice, Mapping) and isinstance(choice.get("sets"), Mapping):
            changed = [((*where, name, "sets", one), m) for one, m in choice["sets"].items()]
        else:
            values = choice if isinstance(choice, list) else [None]
            changed = [(where, _nested(name, value)) for value in values]
        for place, model in changed:
            for row in OF_MODELS:
                yield from _lines(row, model, row.keys[2:], place)


def _nested(name: str, value: object) -> object:
    """The part of a model's entry that a parameter with a dotted name sets."""
    for key in reversed(name.split(".")):
        value = {key: value}
    return value
