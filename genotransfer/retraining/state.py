"""What retraining has done with the cohorts of a place, and who is at it.

Both are small JSON files beside the cohorts, written on condition that nobody else has written them
since they were read: of two runs that begin at once one goes on, and no run's record is lost.
"""

from __future__ import annotations

import json
import time

from pydantic import BaseModel, ConfigDict, ValidationError

from genotransfer import storage
from genotransfer.errors import InputError, StudyError
from genotransfer.retraining.landing import OWN, Landed
from genotransfer.storage import join_uri

STATE, CLAIM = "state.json", "running.json"
ATTEMPTS = 20


class Run(BaseModel):
    """One retraining that ended.

    Attributes
    ----------
    run : its id.
    at : when it ended, UTC.
    study : name of the study.
    cohorts : digest by name of the cohorts it was the first to use.
    n_new, n_final : people that were new, and of them FD.
    promoted : names of registered models whose champion changed.
    """

    model_config = ConfigDict(extra="ignore")
    run: str
    at: str
    study: str
    cohorts: dict[str, str]
    n_new: int
    n_final: int
    promoted: list[str]


class State(BaseModel):
    """All retrainings of a place, the oldest first."""

    model_config = ConfigDict(extra="ignore")
    runs: list[Run] = []

    @property
    def used(self) -> dict[str, str]:
        """Digest by name of the cohorts that were used."""
        return {name: digest for run in self.runs for name, digest in run.cohorts.items()}


class Claim(BaseModel):
    """Who is at it: a run's id, and since when (seconds since 1970)."""

    model_config = ConfigDict(extra="ignore")
    run: str
    since: float


def read_state(place: str) -> State:
    """Return what was done with the cohorts of a place; nothing where there is no record.

    Raises
    ------
    InputError
        The record cannot be read.
    """
    return _read(place)[0]


def find_new(landed: list[Landed], state: State) -> tuple[list[Landed], list[str]]:
    """Return the cohorts that no retraining has used, and names of those that changed since they were."""
    used = state.used
    changed = [one.name for one in landed if one.name in used and used[one.name] != one.digest]
    return [one for one in landed if one.name not in used], changed


def claim(place: str, run: str, hours: float) -> Claim | None:
    """Claim a place for a run; return the claim of another run where there is one.

    Parameters
    ----------
    run : id of the run; its own claim is found again.
    hours : a claim that is older is taken over.
    """
    uri = join_uri(place, OWN, CLAIM)
    for _ in range(ATTEMPTS):
        held, generation = _read_claim(uri)
        if held is not None and held.run == run:
            return None
        if held is not None and time.time() - held.since < 3600 * hours:
            return held
        mine = Claim(run=run, since=time.time()).model_dump_json().encode()
        try:
            storage.write_bytes(uri, mine, if_generation=generation)
        except storage.ConflictError:
            continue
        return None
    raise StudyError(f"{uri} keeps changing. Wait for the other retrainings to end, and run again.")


def holds(place: str, run: str) -> bool:
    """Say whether a place is claimed by a run."""
    held, _ = _read_claim(join_uri(place, OWN, CLAIM))
    return held is not None and held.run == run


def release(place: str, run: str) -> bool:
    """Give up a run's claim; return whether it still was this run's."""
    uri = join_uri(place, OWN, CLAIM)
    held, generation = _read_claim(uri)
    if held is None or held.run != run:
        return False
    try:
        storage.delete_file(uri, if_generation=generation)
    except (storage.AbsentError, storage.ConflictError):
        return False
    return True


def _read_claim(uri: str) -> tuple[Claim | None, int]:
    """Return the claim there is, and the generation of its file, 0 without one."""
    try:
        data, generation = storage.read_bytes(uri)
    except storage.AbsentError:
        return None, 0
    try:
        return Claim.model_validate_json(data), generation
    except ValidationError:
        return None, generation  # cut off while it was written by hand, or of another kind: nobody's


def record(place: str, done: Run) -> State:
    """Add a run to the record; a run that is there already is not added twice.

    Raises
    ------
    StudyError
        The record keeps changing.
    """
    uri = join_uri(place, OWN, STATE)
    for _ in range(ATTEMPTS):
        state, generation = _read(place)
        if any(one.run == done.run for one in state.runs):
            return state
        state = State(runs=[*state.runs, done])
        try:
            storage.write_bytes(
                uri, (state.model_dump_json(indent=1) + "\n").encode(), if_generation=generation
            )
        except storage.ConflictError:
            continue
        return state
    raise StudyError(f"{uri} keeps changing. Run the retraining again; it will find what is new.")


def _read(place: str) -> tuple[State, int]:
    uri = join_uri(place, OWN, STATE)
    try:
        data, generation = storage.read_bytes(uri)
    except storage.AbsentError:
        return State(), 0
    try:
        return State.model_validate(json.loads(data)), generation
    except (ValidationError, ValueError, RecursionError) as error:
        raise InputError(
            f"the record of earlier retrainings cannot be read: {error}",
            file=uri,
            remedy="Restore it from a copy, or take it away to begin anew with all cohorts",
        ) from error
