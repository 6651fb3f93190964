"""Choose a trainer of neural networks by name."""

from __future__ import annotations

from genotransfer.errors import StudyError
from genotransfer.training.jobs import Trainer

TRAINERS = ("keras",)


def get_trainer(name: str = "keras") -> Trainer:
    """Return a trainer; it keeps compiled programs, so use one for as many calls as there are.

    Raises
    ------
    StudyError
        There is no such trainer.
    """
    if name != "keras":
        raise StudyError(f"There is no trainer {name!r}. Choose from: {', '.join(TRAINERS)}.")
    from genotransfer.training.keras_trainer import KerasTrainer

    return KerasTrainer()
