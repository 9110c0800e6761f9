"""Errors that are meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user can mend.

    The message says what is wrong, in which file or setting, and what to do about it. Scripts
    print it without a traceback.
    """
