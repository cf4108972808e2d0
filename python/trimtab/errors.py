"""The errors of the library, as exceptions."""


class Error(Exception):
    """One sentence: what is wrong, where, and what would be right. `exit_code` is the command's."""

    exit_code: int = 1


class Failure(Error):
    """A fault that is neither the input's nor a bound's."""


class BadInput(Error, ValueError):
    """Something that came from outside is wrong."""

    exit_code = 2


class BoundNotMet(Error):
    """A bound (flash, RAM, time, accuracy) cannot be met."""

    exit_code = 3


class TrimtabWarning(UserWarning):
    """A sentence of a result about its data or answers."""


def error_of(sentence: str, exit_code: int) -> Error:
    """The exception for an exit code of the command."""
    for kind in (BadInput, BoundNotMet):
        if kind.exit_code == exit_code:
            return kind(sentence)
    return Failure(sentence)
