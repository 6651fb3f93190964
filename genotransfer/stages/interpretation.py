"""What the chosen models rest on: importance of variants, recovery of true risk SNPs, figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from genotransfer.candidates import RESULT_METHODS
from genotransfer.config import Study
from genotransfer.errors import StudyError
from genotransfer.formats.files import replace_together
from genotransfer.interpretation.cohort import Cohort
from genotransfer.interpretation.explain import Effort
from genotransfer.interpretation.kinds import KINDS, list_kinds
from genotransfer.interpretation.recovery import (
    PROXY_COLUMNS,
    assess_association,
    assess_importance,
    find_proxies,
    mark_proxies,
    measure_chance,
)
from genotransfer.interpretation.tables import IMPORTANCE_COLUMNS, list_leads
from genotransfer.models.predictors import Predictor
from genotransfer.models.store import load_predictor
from genotransfer.phenotypes import read_phenotype_table
from genotransfer.plots.importance import Track, draw_importance
from genotransfer.randomness import derive_seed
from genotransfer.report.findings import METHOD_NAMES
from genotransfer.stages.genotypes import open_population
from genotransfer.stages.phenotypes import read_risk_variants

MOST_ROWS = 2000  # of one measure of one model; the first ones
ABOUT = ["phenotype", "method", "model", "population"]
RISK_COLUMNS = ["risk_id", "risk_r2"]
RECOVERY_COLUMNS = [
    *ABOUT, "kind", "ranked", "first_id", "n_ranked", "first_rank",
    *(f"{what}_{k}" for k in (1, 5, 10) for what in ("precision", "found")),
    "n_risk", "chance_panel", "chance_all",
]  # fmt: skip
ASSOCIATION = "association"


@dataclass(frozen=True)
class Asked:
    """What is to be explained, and by whom.

    Attributes
    ----------
    role : ``source`` or ``target``; None for what the study says.
    methods : whose chosen models; all when None.
    kinds : measures; all when None.
    effort : how much is computed.
    phenotypes : of the study; all when None.
    """

    role: str | None = None
    methods: list[str] | None = None
    kinds: tuple[str, ...] | None = None
    effort: Effort | None = None
    phenotypes: list[str] | None = None


@dataclass(frozen=True)
class Explained:
    """One phenotype's models explained.

    Attributes
    ----------
    importance : columns `ABOUT`, `tables.IMPORTANCE_COLUMNS`, risk_id and risk_r2.
    recovery : columns `RECOVERY_COLUMNS`; no rows where the risk SNPs are not known.
    """

    importance: pd.DataFrame
    recovery: pd.DataFrame


def interpret_models(
    study: Study,
    selection_folder: str | Path,
    models: dict[str, str],
    phenotypes: dict[str, str],
    truths: dict[str, str],
    associations: dict[str, str],
    genotypes: dict[str, str],
    folder: str | Path,
    progress: Callable[[int, int, str], None] | None = None,
    asked: Asked | None = None,
) -> int:
    """Explain each phenotype's chosen models by the people who learn; FD has no part in it.

    Writes ``importance.parquet``, ``recovery.parquet``, ``facts.json`` and, where the study draws
    figures, ``<target>_<phenotype>_importance.png``. Nothing but empty tables where the study asks for
    no interpretation.

    Parameters
    ----------
    study : the study.
    selection_folder : what `results.select_best` wrote.
    models : folder of saved models by part.
    phenotypes, truths, associations : folders by phenotype.
    genotypes : folders of the filesets by role: source and target.
    folder : where it is written.
    progress : hears how many phenotypes are done, of how many.
    asked : what is asked for, where not by the study.

    Returns
    -------
    The number of models explained.
    """
    asked, folder = asked or Asked(), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[Explained] = []
    names = (asked.phenotypes or study.phenotype_names) if study.outputs.interpretation else []
    role = choose_role(study, asked.role)
    for done, phenotype in enumerate(names):
        if progress is not None:
            progress(done, len(names), phenotype)
        tests = _read_tests(associations[phenotype], role)
        members = read_members(selection_folder, phenotype, asked.methods)
        one = explain_phenotype(
            study, phenotype, members, models, phenotypes[phenotype], truths[phenotype], tests, genotypes[role],
            role, asked,
        )  # fmt: skip
        parts.append(one)
        if study.outputs.figures:
            path = folder / name_figure(study, phenotype)
            draw_phenotype(study, phenotype, one, tests, truths[phenotype], role, path)
    importance = _stack([one.importance for one in parts], [*ABOUT, *IMPORTANCE_COLUMNS, *RISK_COLUMNS])
    recovery = _stack([one.recovery for one in parts], RECOVERY_COLUMNS)
    targets = [folder / name for name in ("importance.parquet", "recovery.parquet", "facts.json")]
    count = len(importance[["phenotype", "method"]].drop_duplicates())
    with replace_together(*targets) as [first, second, third]:
        importance.to_parquet(first, index=False)
        recovery.to_parquet(second, index=False)
        third.write_text(json.dumps({"population": getattr(study, role), "n_models": count}))
    return count


def choose_role(study: Study, role: str | None = None) -> str:
    """Return whose people explain a study's models: the target's where the source is known by statistics."""
    if role == "source" and study.statistics is not None:
        raise StudyError(
            f"{study.source} is known by its statistics: there is nobody to explain models by. "
            f"Explain them by the people of {study.target}."
        )
    return "target" if study.statistics is not None else role or study.outputs.explained_by


def explain_phenotype(
    study: Study,
    phenotype: str,
    members: pd.DataFrame,
    models: dict[str, str],
    phenotypes_folder: str | Path,
    truth_folder: str | Path,
    tests: pd.DataFrame,
    genotypes_folder: str,
    role: str,
    asked: Asked,
) -> Explained:
    """Explain the models of one phenotype.

    Parameters
    ----------
    members : method, key, weight and part: the models behind each choice.
    tests : association of the population by whose people they are explained.
    role : of that population.
    """
    cohort = gather_cohort(phenotypes_folder, genotypes_folder, role)
    loaded = {
        key: load_predictor(Path(models[part]) / key)
        for part, key in members[["part", "key"]].drop_duplicates().itertuples(index=False)
    }
    bins = cohort.bin_variants(pd.concat([cohort.narrow(one)[0].variants["id"] for one in loaded.values()]))
    risk, proxies = _find_risk(cohort, truth_folder, role)
    about = {"phenotype": phenotype, "population": getattr(study, role)}
    tables, rows = [], []
    told: dict[tuple[str, ...], pd.DataFrame] = {}
    for method, group in _group_members(members):
        keys = tuple(group["key"])
        predictors = [loaded[key] for key in keys]
        if keys not in told:  # the one model chosen among all is that of its method, as a rule
            seed = derive_seed(study.seed, "interpretation", *keys)
            told[keys] = cohort.explain(
                predictors, list(group["weight"]), seed, kinds=asked.kinds, effort=asked.effort, bins=bins
            )
        named = about | {"method": method, "model": " ".join(_name_model(one) for one in predictors)}
        tables.append(_take_first(mark_proxies(told[keys], proxies)).assign(**named))
        if risk:
            read = pd.concat([_list_read(one) for one in predictors]).drop_duplicates()
            found = assess_importance(told[keys], proxies, len(risk), list_kinds(predictors, asked.kinds))
            rows.append(found.assign(**named, chance_panel=measure_chance(read, proxies)))
    if risk:
        peer = assess_association(tests, proxies, len(risk)).to_row()
        named = about | {"method": ASSOCIATION, "model": "p-value", "kind": "p", "ranked": "variants"}
        ordered = tests[tests["P"].notna()].sort_values("P", kind="stable")
        first = ordered["SNP"].iloc[0] if len(ordered) else None
        chance = {"first_id": first, "chance_panel": measure_chance(tests["SNP"], proxies)}
        rows.append(pd.DataFrame([named | peer | chance]))
    recovery = _stack(rows, RECOVERY_COLUMNS).assign(
        n_risk=len(risk), chance_all=measure_chance(tests["SNP"], proxies) if risk else float("nan")
    )
    return Explained(_stack(tables, [*ABOUT, *IMPORTANCE_COLUMNS, *RISK_COLUMNS]), recovery[RECOVERY_COLUMNS])


def draw_phenotype(
    study: Study,
    phenotype: str,
    explained: Explained,
    tests: pd.DataFrame,
    truth_folder: str | Path,
    role: str,
    path: str | Path,
) -> None:
    """Draw the importance of a phenotype's models below the Manhattan plot.

    Without a p-value, or a model that rests on any variant, there is no figure, and none of before is left.
    """
    tracks = []
    for (method, model), table in explained.importance.groupby(["method", "model"], sort=False):
        kind = leading_kind(table)
        leads = list_leads(table[table["kind"] == kind])
        title = f"{METHOD_NAMES[str(method)]}: {model}, {kind.replace('_', ' ')}"
        tracks.append(Track(title, leads.assign(share=leads["bin_share"])))
    effects = read_risk_variants(truth_folder)
    risk = list(effects.loc[effects[f"{role}_effect"] != 0, "id"])
    name = f"{study.target}_{phenotype}: association in {getattr(study, role)}, and what the models rest on"
    if not tracks or tests["P"].isna().all():
        Path(path).unlink(missing_ok=True)
    else:
        draw_importance(tests, tracks, path, title=name, risk_ids=risk)


def name_figure(study: Study, phenotype: str) -> str:
    """Return the file name of a phenotype's figure."""
    return f"{study.target}_{phenotype}_importance.png"


def leading_kind(table: pd.DataFrame) -> str:
    """Return the measure by which a model's variants are ranked: the first of `KINDS` that it has."""
    return next(kind for kind in KINDS if (table["kind"] == kind).any())


def gather_cohort(phenotypes_folder: str | Path, genotypes_folder: str, role: str) -> Cohort:
    """Return the people of a population by whom models are explained."""
    table = read_phenotype_table(Path(phenotypes_folder) / f"{role}.tsv")
    return Cohort.gather(open_population(genotypes_folder), table)


def _read_tests(folder: str, role: str) -> pd.DataFrame:
    return pd.read_parquet(Path(folder) / f"{role}.parquet")


def read_members(folder: str | Path, phenotype: str, methods: list[str] | None = None) -> pd.DataFrame:
    """Return the models behind each choice of a phenotype: method, key, weight and part.

    Raises
    ------
    StudyError
        A method has none.
    """
    members = pd.read_parquet(Path(folder) / "members.parquet")
    members = members[members["phenotype"] == phenotype]
    if methods is None:
        return members
    absent = [method for method in methods if method not in set(members["method"])]
    if absent:
        raise StudyError(
            f"The phenotype {phenotype!r} has no model of the method {absent[0]!r}. "
            f"Choose from: {', '.join(dict.fromkeys(members['method']))}."
        )
    return members[members["method"].isin(methods)]


def _group_members(members: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the methods with their members, the study's one model first."""
    for method in reversed(RESULT_METHODS):
        group = members[members["method"] == method]
        if len(group):
            yield method, group


def _find_risk(cohort: Cohort, truth_folder: str | Path, role: str) -> tuple[list[str], pd.DataFrame]:
    effects = read_risk_variants(truth_folder)
    risk = list(effects.loc[effects[f"{role}_effect"] != 0, "id"])
    if not risk:
        return [], pd.DataFrame({name: [] for name in PROXY_COLUMNS})
    return risk, find_proxies(cohort.reference, risk)


def _name_model(predictor: Predictor) -> str:
    names = [getattr(predictor, name, None) for name in ("network", "classifier", "score_name")]
    return "+".join(str(name) for name in names if name)


def _list_read(predictor: Predictor) -> pd.Series:
    """Return the ids of the variants a model reads; of a score those with an effect."""
    effects: Any = getattr(predictor, "effects", None)
    ids = predictor.variants["id"]
    return ids if effects is None else ids[effects != 0]


def _take_first(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["rank"] <= MOST_ROWS]


def _stack(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    parts = [one for one in parts if len(one)]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True).reindex(columns=columns)
