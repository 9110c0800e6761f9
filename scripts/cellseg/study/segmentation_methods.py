"""Segmentation methods, by name: what a configuration and a plan need to know of each.

To add a method, write a module as :mod:`cellseg.segmentation.methods` describes it, enter it here,
and list its settings in the schema (``segmentation``, and ``threshold_searches`` for those to
search). The module is imported when it is used; this one imports nothing heavy.

The plan hands jobs what follows from an entry: no result depends on this module.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from cellseg.errors import UserError
from cellseg.targets import channels


@dataclass(frozen=True)
class Map:
    """A map that a method uses.

    Attributes
    ----------
    heads : heads that can give it, best first
    precise : store it with 16 bits instead of 8
    """

    heads: tuple[str, ...]
    precise: bool = False


MASK = "mask"
"""Name of the map that separates cells from background; cells are ranked by its mean."""
MARKERS = "markers"
"""Name of the map whose peaks are the cells."""
FLOWS = "flows"
"""Name of the map of vectors, down and to the right, that lead to the cells' centres. Pictures show
the mask, and the markers or else the lengths of these, as far as a method has them."""


@dataclass(frozen=True)
class Method:
    """What is known of a method without importing it.

    Attributes
    ----------
    module : name of the module that segments
    words : name of the method in a sentence
    channels : by head, the channels to store of a prediction; the first is the head's map, the
        first two that of vectors
    maps : the maps that it needs, by name; :data:`MASK`, :data:`MARKERS` and :data:`FLOWS` are
        shown in pictures
    confidence : what the score of a cell is, in words
    searched : settings that a threshold search can try
    """

    module: str
    words: str
    channels: Mapping[str, tuple[int, ...]]
    maps: Mapping[str, Map]
    confidence: str = "the mean over the cell's pixels of the map that tells cells from background"
    searched: tuple[str, ...] = field(default=())

    def head(self, name: str, heads: Container[str]) -> str | None:
        """Head that gives the map of this name; None if the method or the network has none."""
        wanted = self.maps[name].heads if name in self.maps else ()
        return next((head for head in wanted if head in heads), None)

    def can_segment(self, heads: Container[str]) -> bool:
        """Whether a network of these heads gives all maps that the method needs."""
        return all(self.head(name, heads) is not None for name in self.maps)

    def stored(self, heads: Iterable[str]) -> list[str]:
        """Names of the channels to store, such as ``["inner-distance/0", "pixelwise/1"]``."""
        return [f"{head}/{number}" for head in heads for number in self.channels.get(head, ())]

    def precise(self, heads: Iterable[str]) -> list[str]:
        """Those of the stored channels that need 16 bits."""
        heads = list(heads)
        chosen = [self.head(name, heads) for name, used in self.maps.items() if used.precise]
        return self.stored(head for head in heads if head in chosen)


METHODS: dict[str, Method] = {
    "watershed": Method(
        module="cellseg.segmentation.methods.watershed",
        words="the marker-controlled watershed",
        channels=channels.USED,
        maps={
            MARKERS: Map((*channels.DISTANCES, *channels.MASKS[:2]), precise=True),
            MASK: Map(channels.MASKS),
        },
        searched=(
            "maxima_smooth",
            "maxima_threshold",
            "interior_smooth",
            "interior_threshold",
            "distance_threshold",
            "min_size",
        ),
    ),
    "threshold-components": Method(
        module="cellseg.segmentation.methods.threshold_components",
        words="a threshold and connected components",
        channels={head: channels.USED[head] for head in ("fgbg", "pixelwise")},
        maps={MASK: Map(("pixelwise", "fgbg"))},
        searched=("interior_smooth", "interior_threshold", "min_size", "grow"),
    ),
    "flow-tracking": Method(
        module="cellseg.segmentation.methods.flow_tracking",
        words="tracking along flows",
        channels={"flows": (0, 1), "fgbg": (1,)},
        maps={FLOWS: Map(("flows",), precise=True), MASK: Map(("fgbg",))},
        searched=("cell_threshold", "flow_threshold", "iterations", "min_size"),
    ),
    "star-nms": Method(
        module="cellseg.segmentation.methods.star_nms",
        words="non-maximum suppression of star-convex polygons",
        channels={"star-distances": tuple(range(32)), "object-probability": (0,)},
        maps={
            # Cells that are equally probable are kept in the order of their pixels.
            MASK: Map(("object-probability",), precise=True),
            "distances along rays": Map(("star-distances",)),
        },
        confidence="the value, at the pixel that proposed the cell, of the map that tells cells "
        "from background",
        searched=("probability_threshold", "nms_threshold", "grid", "min_size"),
    ),
    "painting": Method(
        module="cellseg.segmentation.methods.painting",
        words="painting detected cells, the most confident on top",
        channels={"instances": (0,)},
        maps={"detections": Map(("instances",))},
        confidence="the detector's score",
        searched=("score_threshold", "mask_threshold", "min_size"),
    ),
    "distance-watershed": Method(
        module="cellseg.segmentation.methods.distance_watershed",
        words="the watershed on distances to centres and borders",
        channels={"center-distance": (0,), "boundary-distance": (0,), "fgbg": (1,)},
        maps={
            MARKERS: Map(("boundary-distance",), precise=True),
            "distance to the centre": Map(("center-distance",)),
            MASK: Map(("fgbg",)),
        },
        searched=(
            "center_distance_threshold",
            "boundary_distance_threshold",
            "foreground_threshold",
            "distance_smooth",
            "min_size",
        ),
    ),
}
DEFAULT = "watershed"
OF_INSTANCES = "painting"
"""Of runs of instance detectors, where the configuration names none."""
OUTSIDE = "from-outside"
"""Stands where other runs have their method if another program found the cells."""


def settings_for(study: Mapping, heads: str) -> Mapping:
    """Settings of the segmentation of a study's runs with these heads, joined with +."""
    return study["segmentation_by_heads"].get(heads, study["segmentation"])


def named(name: str, where: str) -> Method:
    """The method of a name.

    Parameters
    ----------
    where : key or file that names it, for the error

    Raises
    ------
    UserError
        There is no such method.
    """
    if name not in METHODS:
        raise UserError(
            f"{where}: there is no segmentation method '{name}'. Choose one of "
            f"{', '.join(METHODS)}."
        )
    return METHODS[name]


def check_heads(study: Mapping, heads: Iterable[str], where: str) -> None:
    """Refuse heads that the method that a study chooses for them cannot segment.

    Raises
    ------
    UserError
        The heads lack a map that the method needs; names the key `where`.
    """
    heads = list(heads)
    check(settings_for(study, "+".join(heads))["method"], heads, where)


def check(name: str, heads: Iterable[str], where: str) -> None:
    """Refuse heads that a method cannot segment.

    Raises
    ------
    UserError
        The heads lack a map that the method needs; names the key `where`.
    """
    method, heads = named(name, "segmentation.method"), list(heads)
    for wanted, used in method.maps.items():
        if method.head(wanted, heads) is None:
            raise UserError(
                f"{where}: heads {', '.join(heads) or '(none)'} cannot be segmented by "
                f"{method.words}: its {wanted} needs one of {', '.join(used.heads)}. Add such a "
                "head, or choose another segmentation.method."
            )


def check_search(names: Iterable[str], settings: Iterable[str], where: str) -> None:
    """Refuse settings that a threshold search can try with none of some methods.

    Raises
    ------
    UserError
        Names the key.
    """
    names = list(dict.fromkeys(names))
    searched = [one for name in names for one in named(name, "segmentation.method").searched]
    for setting in settings:
        if setting not in searched:
            has = "has" if len(names) == 1 else "have"
            raise UserError(
                f"{where}.{setting}: segmentation.method {' and '.join(names)} {has} no such "
                f"setting to search. Possible: {', '.join(dict.fromkeys(searched)) or 'none'}."
            )
