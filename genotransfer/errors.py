"""The errors genotransfer raises: what was wrong, in which file and row, and what to do."""

from pathlib import Path


class GenotransferError(Exception):
    """Base of every error a user can cause and mend.

    The command line prints the message without a traceback and exits with status 2.
    """


class InputError(GenotransferError):
    """A file a user gave cannot be used.

    Parameters
    ----------
    problem : what is wrong.
    remedy : what the user can do about it.
    file : the file, where there is one.
    row : 1-based row of the file, where there is one.
    """

    def __init__(
        self, problem: str, *, remedy: str, file: str | Path | None = None, row: int | None = None
    ) -> None:
        self.problem, self.remedy, self.file, self.row = problem, remedy, file, row
        where = "" if file is None else f"{file}: " if row is None else f"{file}, row {row}: "
        super().__init__(f"{where}{problem}. {remedy}.")


class StudyError(GenotransferError):
    """A study file, or what it asks of the data, cannot be carried out."""


class AlignmentError(GenotransferError):
    """Two sets of genotypes cannot be brought to common variants."""
