"""Numbers with their nouns, as sentences and captions have them."""


def plural(number: int, noun: str) -> str:
    """The noun alone, with an s unless the number is one."""
    return f"{noun}{'' if number == 1 else 's'}"


def number_of(number: int, noun: str) -> str:
    """A number and its noun, such as ``1,032 cells``."""
    return f"{number:,} {plural(number, noun)}"
