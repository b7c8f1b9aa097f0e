"""What can go wrong, as one sentence that says what was wrong, where, and what to do."""

from __future__ import annotations


class NinaError(Exception):
    """Any failure of this package; str() is one sentence for people. `status` is the exit status of the command."""

    status = 1


class UsageError(NinaError):
    """What was asked for cannot be: a width that a run does not have, a folder that is not a run's, a missing package."""

    status = 2


class DamagedError(NinaError):
    """A file of a run is missing, cut short, or does not hold what it must. `nina verify OUT` says how it is repaired."""


class ChangedError(NinaError):
    """OUT was begun anew, or removed, while it was read: its rows may be of two runs. Open it again."""

    status = 2


class IncompleteWarning(UserWarning):
    """A run is not complete: the rows are those that it has committed so far."""


def needs(package: str, what: str) -> UsageError:
    """The error if an optional package, by its name for pip, is not installed. An extra of this package is no advice: it is
    on no index, and pip would take what somebody else puts there under its name."""
    return UsageError(f"{what} needs the Python package {package}: pip install {package}")
