"""Errors that are meant for the person at the keyboard, and text that a terminal may show."""

import unicodedata


class UserError(Exception):
    """Something the user can correct.

    The message says what is wrong, in which file or setting, and what to do about it. Scripts
    print it without a traceback.
    """


_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories: control and format characters, lone surrogates, line and paragraph ends."""


def printable(text: object, kept: str = "\n") -> str:
    """Text for a terminal or log: characters that would act on it are shown as escapes.

    File names may hold escape sequences, and bytes that are no UTF-8 (as lone surrogates).

    Parameters
    ----------
    kept : control characters that stay
    """
    return "".join(
        character
        if character in kept or unicodedata.category(character) not in _UNSAFE
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in str(text)
    )
