"""Selection on ED, and the one reading of FD."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.alignment import match_variants
from genotransfer.candidates import CHOSEN, METHODS, NETWORK_METHODS, SCORES_METHOD
from genotransfer.choice import (
    EvidenceSizes,
    average_scores,
    choose_by_ed,
    choose_by_evidence,
    describe_choice,
)
from genotransfer.config import Study
from genotransfer.errors import StudyError
from genotransfer.evaluation import (
    best_accuracy,
    build_result,
    compare_predictions,
    evaluate_predictions,
    predict_oracle,
    tabulate_results,
)
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import Genotypes
from genotransfer.models.store import load_predictor
from genotransfer.phenotypes import read_phenotype_table
from genotransfer.randomness import make_generator
from genotransfer.selection import list_tied, rank_candidates, sort_phenotypes
from genotransfer.selection import select_best as choose_best
from genotransfer.splits import take_split
from genotransfer.stages.genotypes import open_population
from genotransfer.stages.phenotypes import read_risk_variants


@dataclass(frozen=True)
class Evaluated:
    """What `evaluate_final` measured: rows of the results, and mean accuracy by method."""

    n_rows: int
    metrics: dict[str, float]

    def write_metrics(self, path: str | Path) -> None:
        """Write the metrics as JSON; KFP's cache wants a file behind each artifact."""
        with replace_together(path) as [temporary]:
            temporary.write_text(json.dumps(self.metrics))


def name_part(chosen: pd.Series) -> str:
    """Return the part of the study whose models hold a candidate: one for each task that fits."""
    if chosen["method"] in NETWORK_METHODS:
        return f"transfer/{str(chosen['model']).split('_')[0]}"
    if chosen["method"] == SCORES_METHOD:
        return f"scores/{chosen['phenotype']}"
    return f"baselines/{chosen['phenotype']}"


def select_best(study: Study, leaderboards: list[str], selection_folder: str | Path) -> int:
    """Choose the best candidate of each phenotype and method on ED, and each phenotype's one model.

    Writes ``leaderboard.parquet`` (all candidates, ranked), ``chosen.parquet`` (with n_tied),
    ``members.parquet`` (phenotype, method, key, weight and part: the models behind each choice and
    where they are) and ``tied.parquet``.

    Returns
    -------
    The number of candidates.

    Raises
    ------
    StudyError
        There is no candidate at all.
    """
    tables = [table for path in leaderboards if len(table := pd.read_parquet(path))]
    if not tables:
        raise StudyError(
            f"The study {study.name!r} has no candidate: every panel is empty or no method is asked for. "
            "Relax the thresholds under 'panels' or name methods under 'transfer'."
        )
    leaderboard = rank_candidates(pd.concat(tables, ignore_index=True))
    best = choose_best(leaderboard)
    overall = _choose_overall(study, leaderboard, set(best["key"]))
    chosen = sort_phenotypes(
        pd.concat([best, describe_choice(leaderboard, overall)], ignore_index=True).astype(
            {"n_tied": "int64"}
        )
    )
    members = pd.concat(
        [best[["phenotype", "method", "key"]].assign(weight=1.0), overall.assign(method=CHOSEN)],
        ignore_index=True,
    )
    by_key = leaderboard.set_index("key", drop=False)
    members["part"] = [name_part(by_key.loc[key]) for key in members["key"]]
    tied = pd.concat([list_tied(leaderboard, [method]) for method in METHODS], ignore_index=True)
    folder = Path(selection_folder)
    names = ("leaderboard", "chosen", "members", "tied")
    with replace_together(*(folder / f"{name}.parquet" for name in names)) as paths:
        for path, table in zip(paths, (leaderboard, chosen, members, tied), strict=True):
            table.to_parquet(path, index=False)
    return len(leaderboard)


def _choose_overall(study: Study, leaderboard: pd.DataFrame, saved: set[str]) -> pd.DataFrame:
    """Return the members of each phenotype's one model, among the candidates whose models are kept."""
    if study.selection.rule == "paper":
        return choose_by_ed(leaderboard)
    source, target = study.splits.source, study.splits.target
    sizes = EvidenceSizes(target.TD, target.VD, target.ED, source.total, source.ED)
    return choose_by_evidence(leaderboard, sizes, among=saved | _list_scores(leaderboard))


def _list_scores(leaderboard: pd.DataFrame) -> set[str]:
    return set(leaderboard["key"][leaderboard["method"] == SCORES_METHOD])


def evaluate_final(
    study: Study,
    selection_folder: str | Path,
    models: dict[str, str],
    phenotypes: dict[str, str],
    truths: dict[str, str],
    genotypes: dict[str, str],
    final_phenotypes: dict[str, str],
    results_folder: str | Path,
) -> Evaluated:
    """Evaluate each chosen model on FD. Nothing else reads FD, and this reads it once.

    Parameters
    ----------
    study : the study.
    selection_folder : what `select_best` wrote.
    models : folder of saved models by part.
    phenotypes, truths, final_phenotypes : folders by phenotype.
    genotypes : folders of the filesets by role: target (for the oracle) and final.
    results_folder : where ``results.parquet``, ``predictions.parquet`` and ``facts.json`` are written.
    """
    final = open_population(genotypes["final"])
    chosen = pd.read_parquet(Path(selection_folder) / "chosen.parquet")
    members = pd.read_parquet(Path(selection_folder) / "members.parquet")
    rows, predictions = [], []
    for phenotype, group in chosen.groupby("phenotype", sort=False):
        name = str(phenotype)
        table = read_phenotype_table(Path(final_phenotypes[name]) / "final.tsv")
        samples = final.select(samples=final.locate_samples(table["IID"]))
        labels = table["phenotype"].to_numpy(dtype=np.int8)
        facts = _describe_truth(Path(truths[name]))
        facts["oracle_accuracy"] = _measure_oracle(
            samples, labels, truths[name], phenotypes[name], open_population(genotypes["target"])
        )
        reference = None
        for _, row in group.iterrows():
            behind = members[(members["phenotype"] == name) & (members["method"] == row["method"])]
            scores = average_scores(
                [
                    _predict(models[part], key, samples)
                    for part, key in zip(behind["part"], behind["key"], strict=True)
                ],
                behind["weight"].tolist(),
            )
            result = build_result(
                {str(key): value for key, value in row.items()}, evaluate_predictions(labels, scores), **facts
            )
            if row["method"] == "none":
                reference = scores
            elif reference is not None:
                generator = make_generator(study.seed, "gain", name, str(row["method"]))
                gains = compare_predictions(labels, reference, scores, generator)
                result |= {f"fd_{key}": value for key, value in gains.items()}
            rows.append(result)
            one = table[["FID", "IID", "phenotype"]].rename(columns={"phenotype": "label"})
            predictions.append(one.assign(phenotype=name, method=row["method"], score=scores))
    results = tabulate_results(rows)
    folder = Path(results_folder)
    names = ("results.parquet", "predictions.parquet", "facts.json")
    with replace_together(*(folder / name for name in names)) as [first, second, third]:
        results.to_parquet(first, index=False)
        pd.concat(predictions, ignore_index=True).to_parquet(second, index=False)
        third.write_text(json.dumps({"n_fd": final.n_samples}))
    means = results.groupby("method")["fd_accuracy"].mean()
    return Evaluated(len(results), {f"fd_accuracy_{method}": float(value) for method, value in means.items()})


def _predict(folder: str, key: str, samples: Genotypes) -> np.ndarray:
    predictor = load_predictor(Path(folder) / key)
    return predictor.score(match_variants(samples, predictor.variants).read())


def _describe_truth(folder: Path) -> dict[str, float]:
    truth = json.loads((folder / "truth.json").read_text())
    n_risk = len(read_risk_variants(folder))
    heritability = truth.get("heritability")
    return {
        "ceiling": float("nan") if heritability is None else best_accuracy(heritability),
        "n_risk_snps": float(n_risk) if n_risk else float("nan"),
    }


def _measure_oracle(
    samples: Genotypes,
    labels: np.ndarray,
    truth_folder: str,
    phenotypes_folder: str,
    target: Genotypes,
) -> float:
    risk = read_risk_variants(truth_folder)
    # Without an effect nothing is to be known: the majority's share is no accuracy of risk SNPs.
    if not (risk["target_effect"] != 0).any():
        return float("nan")
    table = read_phenotype_table(Path(phenotypes_folder) / "target.tsv")
    known = target.select(samples=target.locate_samples(table["IID"]))
    training = take_split(match_variants(known, risk).read(), table, "TD")
    predicted = predict_oracle(
        training, match_variants(samples, risk).read(), risk["target_effect"].to_numpy(dtype=np.float64)
    )
    return float(np.mean(predicted == labels))
