"""Protocols: which people choose the variants, stop the training and choose the network.

All three run the same code on the same folds; they differ in what the test people are used for before
they are tested on. `preselected` differs from `honest` in the variants alone. In `published` the
validation people, who are needed for nothing else, train as well: 17.6 % more people where 15 % validate,
so its batches are others, and its difference to `preselected` is the worth of both.

Source
------
Henriques et al. 2025, sections 2.2 and 3: chi-squared tests on the whole cohort before the split, and
training watched, and configurations chosen, on the test set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TRAINING, VALIDATION, TEST = "training", "validation", "test"
ROLES = (TRAINING, VALIDATION, TEST)
HONEST: Literal["honest"] = "honest"
ProtocolName = Literal["honest", "preselected", "published"]


@dataclass(frozen=True)
class Protocol:
    """One protocol.

    Attributes
    ----------
    name : key of the protocol.
    selects_on_all : variants are chosen by the labels of everybody, test people included; by those of
        the training people alone otherwise.
    watches_test : the test people stop the training and choose the configuration, and the validation
        people train; the validation people do otherwise.
    told : what it does, for a reader.
    """

    name: str
    selects_on_all: bool
    watches_test: bool
    told: str

    @property
    def knows_test_labels(self) -> bool:
        """Whether training is handed the labels of the test people."""
        return self.watches_test

    def find_training(self) -> tuple[str, ...]:
        """Return the roles whose people train."""
        return (TRAINING, VALIDATION) if self.watches_test else (TRAINING,)

    def find_watching(self) -> str:
        """Return the role whose people stop the training and choose the configuration."""
        return TEST if self.watches_test else VALIDATION


PROTOCOLS: dict[str, Protocol] = {
    one.name: one
    for one in (
        Protocol(
            "honest",
            selects_on_all=False,
            watches_test=False,
            told="Variants are chosen on the training people. Validation people stop the training and choose the "
            "configuration. The test people are read once.",
        ),
        Protocol(
            "preselected",
            selects_on_all=True,
            watches_test=False,
            told="As honest, but variants are chosen on everybody, test people included.",
        ),
        Protocol(
            "published",
            selects_on_all=True,
            watches_test=True,
            told="Variants are chosen on everybody. The test people stop the training and choose the "
            "configuration, and are then tested on; the validation people train.",
        ),
    )
}
