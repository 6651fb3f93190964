"""Versions of a registered model side by side, and the way back to an earlier champion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genotransfer.errors import InputError, StudyError
from genotransfer.plots.canvas import COLOURS, LINE_COLOUR, NOTE_COLOUR, RISK_COLOUR, save_figure
from genotransfer.tracking.client import connect, find_store
from genotransfer.tracking.decisions import Decision
from genotransfer.tracking.locks import SUFFIX, lock_model
from genotransfer.tracking.promotion import ROLLED_BACK, carry_out, move_champion, read_history
from genotransfer.tracking.registry import CHALLENGER, CHAMPION, find_alias

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from mlflow import MlflowClient

NUMBERS = ("fd_n", "fd_accuracy", "fd_low", "fd_high", "fd_auc", "fd_auc_low", "fd_auc_high", "fd_brier")
TEXTS = ("study", "source", "method", "model", "n_variants", "n_source", "n_target", "final_sha256")
# How the reason of a rollback begins, in the history of champions.
BACK = "Rolled back from version "
DECIDED = ("decision", "decision_reason", "decided_against")


@dataclass(frozen=True)
class Rollback:
    """A champion that gave way by a person's word: its version, and that of the champion now."""

    name: str
    before: str
    now: str


def list_models(tracking_uri: str = "") -> pd.DataFrame:
    """Return the registered models of genotransfer: name, champion, challenger, versions, phenotype.

    Parameters
    ----------
    tracking_uri : of the MLflow store; MLFLOW_TRACKING_URI's when empty.
    """
    with connect(find_store(tracking_uri)) as client:
        models: list[Any] = []
        token: str | None = None
        while True:
            page = client.search_registered_models(max_results=100, page_token=token)
            models += page
            token = page.token
            if not token:
                break
        rows = []
        for one in models:
            if "phenotype" not in one.tags or one.name.endswith(SUFFIX):
                continue
            aliases = {name: str(version) for name, version in one.aliases.items()}
            versions = len(client.search_model_versions(f"name = '{one.name}'"))
            rows.append(
                {
                    "name": one.name,
                    "phenotype": one.tags["phenotype"],
                    "target": one.tags.get("target", ""),
                    "versions": versions,
                    CHAMPION: aliases.get(CHAMPION, ""),
                    CHALLENGER: aliases.get(CHALLENGER, ""),
                }
            )
    columns = ["name", "phenotype", "target", "versions", CHAMPION, CHALLENGER]
    return pd.DataFrame(rows, columns=columns)


def compare_versions(name: str, versions: list[str] | None = None, tracking_uri: str = "") -> pd.DataFrame:
    """Return versions of a registered model side by side.

    Parameters
    ----------
    name : of the registered model.
    versions : numbers or aliases; all versions when None.
    tracking_uri : of the MLflow store; MLFLOW_TRACKING_URI's when empty.

    Returns
    -------
    One row a version, the oldest first: version, aliases, created (UTC), study, source, method, model,
    n_variants, n_source, n_target, accuracy and AUC on FD with their intervals, and what was decided.

    Raises
    ------
    InputError
        There is no such model or version.
    """
    with connect(find_store(tracking_uri)) as client:
        _require_model(client, name)
        if versions:
            found = [_find_version(client, name, one) for one in versions]
        else:
            found = list(client.search_model_versions(f"name = '{name}'"))
        # A version that was found by a search does not say its aliases.
        aliases = client.get_registered_model(name).aliases
        rows = []
        for one in sorted(found, key=lambda one: int(one.version)):
            row: dict[str, object] = {
                "version": str(one.version),
                "aliases": ", ".join(
                    sorted(key for key, at in aliases.items() if str(at) == str(one.version))
                ),
                "created": datetime.fromtimestamp(one.creation_timestamp / 1000, UTC).strftime(
                    "%Y-%m-%d %H:%M"
                ),
            }
            row |= {key: one.tags.get(key, "") for key in TEXTS}
            row |= {key: float(one.tags.get(key, "nan")) for key in NUMBERS}
            rows.append(row | {key: one.tags.get(key, "") for key in DECIDED})
    return pd.DataFrame(rows).drop_duplicates("version").reset_index(drop=True)


def roll_back(name: str, version: str = "", tracking_uri: str = "") -> Rollback:
    """Point the alias ``champion`` to an earlier version.

    Parameters
    ----------
    name : of the registered model.
    version : to go back to; the champion before this one when empty.
    tracking_uri : of the MLflow store; MLFLOW_TRACKING_URI's when empty.

    Raises
    ------
    InputError
        There is no such model or version.
    StudyError
        There is no champion, or none before it.
    """
    with connect(find_store(tracking_uri)) as client:
        _require_model(client, name)
        with lock_model(client, name) as check:
            champion = find_alias(client, name, CHAMPION)
            if champion is None:
                raise StudyError(f"{name} has no champion. Run a study that registers one.")
            before = str(champion.version)
            to = (
                str(_find_version(client, name, version).version)
                if version
                else _find_earlier(client, name, before)
            )
            if to == before:
                raise StudyError(f"Version {to} of {name} is the champion already.")
            check()
            move_champion(client, name, to, f"{BACK}{before}.")
            client.set_model_version_tag(name, before, ROLLED_BACK, "true")
    return Rollback(name, before, to)


def promote_version(name: str, version: str, reason: str = "", tracking_uri: str = "") -> Rollback:
    """Make a version the champion because a person says so.

    Parameters
    ----------
    name : of the registered model.
    version : or an alias, e.g. ``challenger``.
    reason : why; it stands in the version's tags and in the model's history.
    tracking_uri : of the MLflow store; MLFLOW_TRACKING_URI's when empty.

    Returns
    -------
    The versions before, empty where there was no champion, and now.

    Raises
    ------
    InputError
        There is no such model or version.
    StudyError
        It is the champion already.
    """
    told = f"By a person: {reason}" if reason else "By a person."
    with connect(find_store(tracking_uri)) as client:
        _require_model(client, name)
        with lock_model(client, name) as check:
            champion = find_alias(client, name, CHAMPION)
            before = "" if champion is None else str(champion.version)
            to = str(_find_version(client, name, version).version)
            if to == before:
                raise StudyError(f"Version {to} of {name} is the champion already.")
            phenotype = client.get_registered_model(name).tags.get("phenotype", "")
            carry_out(client, Decision(phenotype, name, to, "promoted", told, before, ""), check)
    return Rollback(name, before, to)


def name_tested(table: pd.DataFrame) -> str:
    """Return what the people are called on whom versions were measured, of `compare_versions`' table."""
    return "FD" if (table["source"] != "").any() else "test people"


def draw_comparison(path: str | Path, name: str, table: pd.DataFrame) -> Path:
    """Draw accuracy and AUC of versions with their intervals; the champion is ringed.

    Parameters
    ----------
    path : PNG file to write.
    name : of the registered model.
    table : from `compare_versions`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 1.7 + 0.42 * len(table)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    who = name_tested(table)
    _draw_measure(left, table, ("fd_accuracy", "fd_low", "fd_high"), f"Accuracy on {who}")
    _draw_measure(right, table, ("fd_auc", "fd_auc_low", "fd_auc_high"), f"AUC on {who}")
    labels = [
        f"version {version}" + (f"\n{aliases}" if aliases else "")
        for version, aliases in zip(table["version"].astype(str), table["aliases"].astype(str), strict=True)
    ]
    left.set_yticks(np.arange(len(table)), labels)
    left.set_ylim(len(table) - 0.5, -0.5)
    finals = table["final_sha256"].nunique()
    note = "" if finals < 2 else f" (not all on the same {who})"
    figure.suptitle(f"{name}: mean and 95 % interval{note}", fontsize=11)
    return save_figure(figure, path)


def _draw_measure(axes: Axes, table: pd.DataFrame, columns: tuple[str, str, str], label: str) -> None:
    axes.spines[["right", "top"]].set_visible(False)
    axes.axvline(0.5, color=LINE_COLOUR, linestyle="--", linewidth=0.8, zorder=0)
    for at, (middle, low, high) in enumerate(table[list(columns)].to_numpy(dtype=np.float64)):
        champion = CHAMPION in str(table["aliases"].iloc[at])
        if not math.isnan(low):
            axes.hlines(at, low, high, color=COLOURS[1], linewidth=2)
        if math.isnan(middle):
            continue
        axes.plot(middle, at, "o", color=COLOURS[0], markersize=6)
        if champion:
            axes.plot(middle, at, "o", markersize=12, markerfacecolor="none", markeredgecolor=RISK_COLOUR)
        axes.annotate(
            f"{middle:.3f}", (middle, at), xytext=(0, 8), textcoords="offset points", ha="center",
            fontsize=8, color=NOTE_COLOUR,
        )  # fmt: skip
    axes.set_xlabel(label)


def _find_earlier(client: MlflowClient, name: str, champion: str) -> str:
    # Going back twice goes back two steps: what a rollback wrote is no step forward.
    steps: list[str] = []
    for one in read_history(client, name):
        if one["reason"].startswith(BACK) and one["version"] in steps:
            while steps[-1] != one["version"]:
                steps.pop()
        else:
            steps.append(one["version"])
    if steps and steps[-1] == champion:
        steps.pop()
    earlier = [
        one
        for one in steps
        if one != champion and ROLLED_BACK not in client.get_model_version(name, one).tags
    ]
    if not earlier:
        raise StudyError(
            f"{name} has had no champion before version {champion}. Name a version to go back to."
        )
    return earlier[-1]


def _require_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise InputError(
            f"there is no registered model {name!r}", remedy="genotransfer models lists them"
        ) from error


def _find_version(client: MlflowClient, name: str, version: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        if version.isdigit():
            return client.get_model_version(name, version)
        return client.get_model_version_by_alias(name, version)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise InputError(
            f"{name} has no version or alias {version!r}",
            remedy=f"genotransfer compare {name} lists its versions",
        ) from error
