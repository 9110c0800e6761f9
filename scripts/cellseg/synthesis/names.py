"""Names of synthetic images, which name the real image that each is made of."""

from collections.abc import Iterable

_MARK = "~synthetic-"


def name(source: str, number: int) -> str:
    """Key of a source's synthetic image `number`, counted from 1."""
    return f"{source}{_MARK}{number}"


def made_of(images: Iterable[str], sources: Iterable[str]) -> list[str]:
    """Those of `images` that are synthetic and made of one of `sources`, in their order."""
    wanted = set(sources)
    return [key for key in images if source_of(key) != key and source_of(key) in wanted]


def source_of(image: str) -> str:
    """Key of the real image that an image is made of; a real image's own.

    Examples
    --------
    >>> source_of("BV2_Phase_A4_1_00d12h00m_1~synthetic-3")
    'BV2_Phase_A4_1_00d12h00m_1'
    """
    source, mark, number = image.rpartition(_MARK)
    return source if mark and number.isdecimal() else image
