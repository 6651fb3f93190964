"""The commands `genotransfer export` and `genotransfer predict`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from genotransfer.prediction.predict import Prediction
    from pipelines.run_folder import RunFolder

MOST_ROWS = 20
Ambiguous = StrEnum("Ambiguous", ["strand", "keep", "drop"])


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, such as runs/latest.")],
    phenotype: Annotated[
        str, typer.Argument(help="Its name in the study, such as 5_1; of an exome its column.")
    ],
    folder: Annotated[Path, typer.Argument(help="The bundle to write; a bundle there is replaced.")],
    method: Annotated[str, typer.Option(help="Whose model: chosen, or a method of the study.")] = "chosen",
) -> None:
    """Write a phenotype's model as a bundle, a folder that `genotransfer predict` takes anywhere."""
    from genotransfer.exome_cnn.settings import KIND
    from genotransfer.prediction.bundle import export_bundle
    from pipelines.run_folder import RunFolder

    done = RunFolder(run)
    if done.kind == KIND:
        _export_exome(done, phenotype, folder, method)
        return
    study = done.study
    bundle = export_bundle(
        folder,
        study,
        phenotype,
        selection_folder=done.find("select_best_model", "selection"),
        results_folder=done.find("evaluate_final", "results"),
        models=done.models,
        genotypes={
            role: str(done.find("prepare_genotypes", f"{role}_genotypes"))
            for role in ("source", "target", "final")
        },
        phenotypes_folder=done.find("control_quality", "kept_phenotypes", phenotype=phenotype),
        method=method,
    )
    models = ", ".join(one.model for one in bundle.facts.members)
    typer.echo(f"{folder}: {study.target}_{phenotype}, {models}, {bundle.n_variants} variants")


def _export_exome(done: RunFolder, phenotype: str, folder: Path, method: str) -> None:
    from genotransfer.errors import StudyError
    from genotransfer.exome_cnn.bundle import export_exome_bundle, name_phenotype
    from genotransfer.exome_cnn.protocols import HONEST
    from genotransfer.exome_cnn.settings import ExomeCnnStudy, ExomeFiles
    from genotransfer.study_files import load_settings

    study = load_settings(done.path / "study.yaml", ExomeCnnStudy)
    columns = {study.exome.column} if isinstance(study.exome, ExomeFiles) else set()
    if phenotype not in {name_phenotype(study), *columns}:
        raise StudyError(
            f"The study {study.name!r} has no phenotype {phenotype!r}. Name {name_phenotype(study)!r}."
        )
    if method not in ("chosen", HONEST):
        raise StudyError(
            f"The networks of protocol {method!r} are not kept. Leave --method out, for the honest ones."
        )
    bundle = export_exome_bundle(
        folder,
        study,
        selection_folder=done.find("choose_exome_network", "selection"),
        models={facts["part"]: str(path) for path, facts in done.list("train_exome_networks", "models")},
        results_folder=done.find("evaluate_exome", "results"),
        genotypes_folder=done.find("prepare_exome", "genotypes"),
        phenotypes_folder=done.find("prepare_exome", "phenotypes"),
        folds_folder=done.find("split_exome", "folds"),
    )
    models = ", ".join(dict.fromkeys(one.model for one in bundle.facts.members))
    n = len(bundle.members)
    folds = f" of {n} folds" if n > 1 else ""
    typer.echo(f"{folder}: exome_{bundle.facts.phenotype}, {models}{folds}, {bundle.n_variants} variants")


def predict(
    model: Annotated[
        str, typer.Argument(help="A bundle's folder, or models:/NAME@champion, models:/NAME/3.")
    ],
    input: Annotated[str, typer.Argument(help="PLINK prefix, .gen, .vcf, .bcf, or 23andMe .txt or folder.")],
    out: Annotated[Path | None, typer.Option(help="The table to write, tab-separated.")] = None,
    least_match_rate: Annotated[
        float, typer.Option(help="Least share of the model's variants that the file must hold.")
    ] = 0.9,
    from_format: Annotated[str | None, typer.Option("--from", help="plink, oxford, vcf, 23andme.")] = None,
    sample: Annotated[Path | None, typer.Option(help="The .sample file of a .gen.")] = None,
    chromosome: Annotated[str | None, typer.Option(help="Chromosome of a .gen that has none.")] = None,
    ambiguous: Annotated[
        Ambiguous, typer.Option(help="A/T and C/G variants: on the strand of the file's others, or as named.")
    ] = Ambiguous.strand,
    tracking_uri: Annotated[
        str, typer.Option(help="MLflow's registry; MLFLOW_TRACKING_URI, or the local runs' store.")
    ] = "",
) -> None:
    """Predict for the people of a genotype file, and say what speaks against the prediction."""
    from rich.console import Console

    from genotransfer.prediction.predict import predict_with_model
    from pipelines.registry_commands import find_tracking

    done = predict_with_model(
        model,
        input,
        tracking_uri=find_tracking(tracking_uri),
        from_format=from_format,
        sample=sample,
        chromosome=chromosome,
        least_match_rate=least_match_rate,
        ambiguous=ambiguous.value,
    )
    if out is not None:
        done.write(out)
    _show(done, Console(file=sys.stdout), out)


def _show(done: Prediction, console: Console, out: Path | None) -> None:
    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, markup=False)

    facts, n = done.facts, len(done.table)
    say(
        f"{facts.target}_{facts.phenotype} of the study {facts.study}: {n} {'person' if n == 1 else 'people'}"
    )
    if n <= MOST_ROWS:
        console.print(_tabulate(done.table))
    else:
        cases, probability = int(done.table["predicted"].sum()), done.table["probability"]
        low, middle, high = probability.quantile([0.05, 0.5, 0.95])
        say(
            f"predicted cases: {cases} of {n} ({cases / n:.1%}); probability: mean {probability.mean():.3f}, "
            f"median {middle:.3f}, 5 % below {low:.3f}, 5 % above {high:.3f}"
        )
    effects = "" if done.effect_match_rate is None else f", with {done.effect_match_rate:.1%} of its effects"
    say(f"variants of the model in the file: {done.match_rate:.1%}{effects}")
    unusual = [
        f"{name} {count}"
        for name, count in done.counts.items()
        if count and name not in {"wanted", "found by id"}
    ]
    if unusual:
        say(f"of {done.counts['wanted']} variants: {'; '.join(unusual)}")
    for warning in done.warnings:
        say(f"Warning: {warning}")
    for note in done.notes:
        say(f"Note: {note}")
    if out is not None:
        say(f"Table: {out}")


def _tabulate(people: pd.DataFrame) -> object:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("iid", "probability", "predicted", "called", "observed", "95 %", "ancestry z"):
        table.add_column(name, no_wrap=True)
    for row in people.to_dict("records"):
        known = row["observed"] == row["observed"]
        table.add_row(
            str(row["iid"]),
            f"{row['probability']:.3f}",
            "case" if row["predicted"] else "control",
            f"{row['call_rate']:.1%}",
            f"{row['observed']:.2f}" if known else "",
            f"{row['observed_low']:.2f}-{row['observed_high']:.2f}" if known else "",
            f"{row['ancestry_z']:+.1f}" if row["ancestry_z"] == row["ancestry_z"] else "",
        )
    return table


COMMANDS = (export, predict)
