"""The end of a retraining: what was done is recorded, and the place is free again."""

from __future__ import annotations

import json
from pathlib import Path

from genotransfer.errors import StudyError
from genotransfer.formats.files import replace_together
from genotransfer.retraining.plan import Landing
from genotransfer.retraining.state import Run, holds, read_state, record, release
from genotransfer.times import name_time


def finish_retraining(landing: str | Path, decisions: str | Path, summary: str | Path) -> Run:
    """Record a retraining, so that the next one takes its cohorts for known, and free the place.

    Parameters
    ----------
    landing : what `genotransfer.retraining.plan.plan_retraining` found.
    decisions : what was decided of the challengers.
    summary : where the end is told, Markdown.

    Raises
    ------
    StudyError
        Another retraining took the place over meanwhile. What was promoted stays; nothing is recorded.
    """
    found = Landing.read(landing)
    made = json.loads(Path(decisions).read_text())
    promoted = [str(one["name"]) for one in made if one["outcome"] == "promoted"]
    done = Run(
        run=found.run,
        at=name_time(),
        study=found.study,
        cohorts=found.cohorts,
        n_new=found.n_new,
        n_final=found.n_final,
        promoted=promoted,
    )
    known = any(one.run == found.run for one in read_state(found.place).runs)
    if not known and not holds(found.place, found.run):
        raise StudyError(
            f"Another retraining took {found.place} over while this one ran, for it took longer than "
            "retraining.claim_hours. What it promoted stays; its cohorts are the other's to record. Set "
            "retraining.claim_hours higher."
        )
    record(found.place, done)
    release(found.place, found.run)
    told = ", ".join(promoted) or "none; every champion stays"
    with replace_together(summary) as [path]:
        path.write_text(
            f"# Retraining of {found.study}\n\n{found.reason} {found.n_new:,} new people, {found.n_final:,} of "
            f"them FD.\n\nPromoted: {told}.\n"
        )
    return done
