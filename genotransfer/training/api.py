"""Choose a trainer of neural networks by name."""

from __future__ import annotations

from collections.abc import Iterable

from genotransfer.errors import StudyError
from genotransfer.training.jobs import Trainer
from genotransfer.training.widths import BUCKETS, choose_buckets

TRAINERS = ("stacked", "keras")


def get_trainer(name: str = "stacked", widths: Iterable[int] | None = None) -> Trainer:
    """Return a trainer; it keeps compiled programs, so use one for as many calls as there are.

    Parameters
    ----------
    name : ``stacked``, the fast trainer, or ``keras``, the plain one that it equals.
    widths : numbers of variants of the panels to come, from which the fast trainer chooses the
        widths of its programs; None for widths that suit the paper's panels.

    Raises
    ------
    StudyError
        There is no such trainer.
    """
    if name == "stacked":
        from genotransfer.training.stacked_trainer import StackedTrainer

        return StackedTrainer(BUCKETS if widths is None else choose_buckets(widths))
    if name == "keras":
        from genotransfer.training.keras_trainer import KerasTrainer

        return KerasTrainer()
    raise StudyError(f"There is no trainer {name!r}. Choose from: {', '.join(TRAINERS)}.")
