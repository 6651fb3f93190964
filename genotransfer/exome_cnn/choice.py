"""The choice of a configuration, in each fold of each protocol, by the people who watch the training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from genotransfer.errors import StudyError
from genotransfer.exome_cnn.configurations import KEYS
from genotransfer.formats.files import replace_together

LEADERBOARD, CHOSEN = "leaderboard.parquet", "chosen.parquet"


def choose_configurations(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """Return the chosen row of each protocol and fold.

    The highest accuracy on the people who watch: the validation people, or in the published protocol the
    test people. Ties go to the lower loss on them, then to fewer parameters, then to the earlier row.

    Parameters
    ----------
    leaderboard : rows of `genotransfer.exome_cnn.training.describe_network`, of all forms.
    """
    order = [*KEYS[:2], "validation_accuracy", "validation_loss", "n_parameters"]
    ranked = leaderboard.assign(fold_number=leaderboard["fold"].astype(int)).sort_values(
        order, ascending=[True, True, False, True, True], kind="stable"
    )
    best = ranked.groupby(KEYS[:2], sort=False).head(1)
    known = {name: at for at, name in enumerate(dict.fromkeys(leaderboard["protocol"]))}
    best = best.assign(rank=best["protocol"].map(known)).sort_values(["rank", "fold_number"])
    return best.drop(columns=["rank", "fold_number"]).reset_index(drop=True)


def choose_networks(trained_folders: Sequence[str | Path], selection_folder: str | Path) -> pd.DataFrame:
    """Gather the leaderboards of all forms and write what is chosen.

    Parameters
    ----------
    trained_folders : from `train_form`, one a form.
    selection_folder : gets ``leaderboard.parquet`` and ``chosen.parquet``.

    Raises
    ------
    StudyError
        A configuration stands twice.
    """
    every = pd.concat(
        [pd.read_parquet(Path(one) / LEADERBOARD) for one in trained_folders], ignore_index=True
    )
    doubled = every.duplicated(KEYS)
    if doubled.any():
        key = ", ".join(map(str, every.loc[doubled, KEYS].iloc[0]))
        raise StudyError(f"The configuration {key} was trained twice. Hand each form's networks in once.")
    # In the order of protocol and fold, whatever the order in which forms were trained.
    ranks = {name: at for at, name in enumerate(dict.fromkeys(every["protocol"]))}
    every = every.assign(rank=every["protocol"].map(ranks), number=every["fold"].astype(int))
    every = every.sort_values(["rank", "number"], kind="stable").drop(columns=["rank", "number"])
    every = every.reset_index(drop=True)
    chosen = choose_configurations(every)
    with replace_together(selection_folder) as (made,):
        made.mkdir()
        every.to_parquet(made / LEADERBOARD, index=False)
        chosen.to_parquet(made / CHOSEN, index=False)
    return chosen
