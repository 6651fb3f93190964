"""The report of a study: results.csv, the paper's tables, figures and the HTML page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd

from genotransfer import __version__
from genotransfer.candidates import ADAPTED
from genotransfer.config import SimulatedPhenotypes, Study
from genotransfer.formats.files import replace_together
from genotransfer.report.figures import draw_figures
from genotransfer.report.html import write_report as write_page
from genotransfer.report.interpretation import Interpretation
from genotransfer.report.learning import Learning
from genotransfer.report.markdown import describe_results
from genotransfer.report.tables import StudyFacts, write_results, write_tables
from genotransfer.stages.curves import CURVES, Curves, read_curves, write_points

# The populations that teach a network of the source more, by method.
LEARNT_ON = {"deep_finetuned": "target", ADAPTED: "both"}


def write_report(
    study: Study,
    results_folder: str | Path,
    selection_folder: str | Path,
    alignment_folder: str | Path,
    panels: dict[str, str],
    variants: dict[str, str],
    heritabilities: dict[str, float | None],
    figures: dict[str, str],
    models: list[str],
    report_folder: str | Path,
    page: str | Path,
    summary: str | Path | None = None,
    interpretation: str | Path | None = None,
) -> None:
    """Write the report's folder: results.csv, tables/, figures/, report.html, and Parquet files.

    ``leaderboard.parquet`` has every candidate; its columns ``curve`` and ``source_curve`` are keys
    in ``curves.parquet``, the learning curves of all networks (see `genotransfer.stages.curves`).
    ``importance.parquet`` and ``recovery.parquet`` say what the chosen models rest on (see
    `genotransfer.stages.interpretation`).

    Parameters
    ----------
    study : the study.
    results_folder, selection_folder, alignment_folder : what earlier stages wrote.
    panels, variants, figures : folders by phenotype.
    heritabilities : SNP heritability of liability by phenotype; None where it is not known.
    models : folders of models, for the learning curves of the networks.
    report_folder : where everything is written.
    page : where the page is written once more, for the artifact viewer.
    summary : where the answer and all results are written as Markdown, if anywhere.
    interpretation : what `interpret_models` wrote, if it ran.
    """
    folder = Path(report_folder)
    folder.mkdir(parents=True, exist_ok=True)
    results = pd.read_parquet(Path(results_folder) / "results.parquet")
    leaderboard = pd.read_parquet(Path(selection_folder) / "leaderboard.parquet")
    chosen = pd.read_parquet(Path(selection_folder) / "chosen.parquet")
    sizes = _stack(panels, "sizes.parquet")
    quality = _stack(variants, "counts.parquet")
    alignment = json.loads((Path(alignment_folder) / "alignment.json").read_text())
    warnings = [alignment.pop("warning")] if "warning" in alignment else []
    [heritability] = set(heritabilities.values()) if len(set(heritabilities.values())) == 1 else [None]
    facts = describe_study(study, results_folder, heritability)

    # A phenotype is X_Y_Z outside the study, where population X is not to be taken for granted.
    write_results(folder / "results.csv", results.assign(phenotype=study.target + "_" + results["phenotype"]))
    write_tables(folder / "tables", results, leaderboard, sizes, facts)
    curves = read_curves(models)
    leaderboard.merge(curves.keys, on="key", how="left").to_parquet(
        folder / "leaderboard.parquet", index=False
    )
    if len(curves.points):
        write_points(curves.points, folder / CURVES)
    pictures: list[tuple[str, Path]] = []
    if study.outputs.figures:
        learning = _describe_learning(study, curves, leaderboard, chosen) if len(curves.points) else None
        pictures += draw_figures(folder / "figures", results, learning)
        pictures += _copy_figures(figures, folder / "figures")
    explained = (
        None if interpretation is None else _take_interpretation(Path(interpretation), folder, pictures)
    )
    written = write_page(
        folder, facts, results, leaderboard, sizes, quality, alignment, pictures, warnings, explained
    )
    shutil.copyfile(written, page)
    if summary is not None:
        with replace_together(summary) as [told]:
            told.write_text(describe_results(facts, results, leaderboard))


def _take_interpretation(made: Path, folder: Path, pictures: list[tuple[str, Path]]) -> Interpretation | None:
    """Copy tables and figures of the interpretation into the report's folder, and return its tables."""
    importance, recovery = (pd.read_parquet(made / f"{name}.parquet") for name in ("importance", "recovery"))
    if importance.empty and recovery.empty:
        return None
    for name in ("importance.parquet", "recovery.parquet"):
        shutil.copyfile(made / name, folder / name)
    for path in sorted(made.glob("*.png")):
        (folder / "figures").mkdir(exist_ok=True)
        title = (
            f"{path.stem.removesuffix('_importance')}: what the chosen models rest on, and the association"
        )
        pictures.append((title, Path(shutil.copy2(path, folder / "figures" / path.name))))
    return Interpretation(importance, recovery)


def describe_study(study: Study, results_folder: str | Path, heritability: float | None) -> StudyFacts:
    """Return what the report says of its study."""
    return StudyFacts(
        name=study.name,
        source=study.source,
        target=study.target,
        n_ed=study.splits.target.ED,
        n_fd=json.loads((Path(results_folder) / "facts.json").read_text())["n_fd"],
        heritability=heritability,
        preset=study.phenotypes.preset if isinstance(study.phenotypes, SimulatedPhenotypes) else "files",
        seed=study.seed,
        version=__version__,
        methods=list(study.transfer.methods),
    )


def _describe_learning(
    study: Study, curves: Curves, leaderboard: pd.DataFrame, chosen: pd.DataFrame
) -> Learning:
    """Return the learning curves of the chosen networks, and the epochs of all, as the figures take them."""
    points = pd.concat(
        [
            curves.take(chosen["key"], "source_curve").assign(trained_on="source"),
            *(
                curves.take(chosen.loc[chosen["method"] == method, "key"]).assign(trained_on=trained_on)
                for method, trained_on in LEARNT_ON.items()
            ),
        ]
    ).rename(columns={"loss": "td_loss", "val_loss": "vd_loss"})
    about = ["key", "phenotype", "method", "model", "n_snps", "trainable_layers"]
    used = leaderboard[["key", "model", "method"]].merge(curves.keys, on="key")
    family = used["model"].str.split("_").str[0]
    learnt_on = used["method"].map(LEARNT_ON)
    networks = pd.concat(
        [
            pd.DataFrame({"key": used["source_curve"], "family": family, "trained_on": "source"}),
            pd.DataFrame({"key": used["curve"], "family": family, "trained_on": learnt_on})[
                learnt_on.notna()
            ],
        ]
    ).drop_duplicates("key")
    return Learning(
        points.merge(chosen[about], on="key"),
        networks.merge(curves.measure_epochs(), on="key"),
        study.training.epochs,
        study.training.patience,
    )


def _stack(folders: dict[str, str], name: str) -> pd.DataFrame:
    return pd.concat(
        [pd.read_parquet(Path(folder) / name).assign(phenotype=key) for key, folder in folders.items()],
        ignore_index=True,
    )


def _copy_figures(figures: dict[str, str], folder: Path) -> list[tuple[str, Path]]:
    copied = []
    for source in figures.values():
        for path in sorted(Path(source).glob("*.png")):
            title, _, kind = path.stem.rpartition("_")
            what = {"manhattan": "Manhattan plot", "qq": "QQ plot", "ld": "LD heat map"}.get(kind, kind)
            copied.append((f"{title}: {what}", Path(shutil.copy2(path, folder / path.name))))
    return copied
