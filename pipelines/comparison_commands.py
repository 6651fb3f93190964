"""Commands that compare models: `genotransfer compare-models`, `try-model` and `katib`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from genotransfer.errors import StudyError

if TYPE_CHECKING:
    from genotransfer.comparison.settings import ComparisonStudy

StudyFile = Annotated[
    str, typer.Argument(help="A comparison's study file, or the name of one that is shipped.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Replace a setting: key.key=value. May be given often.")
]
Model = Annotated[str, typer.Argument(help="Name of one of the study's models.")]
Fold = Annotated[
    int, typer.Option(min=1, help="Whose training part teaches; the people it judges have no part.")
]


def compare_models(
    study: StudyFile = "comparison",
    overrides: Overrides = None,
    runs: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("runs"),
    publish: Annotated[
        str | None, typer.Option(help="Then send the run's folder below this gs:// address.")
    ] = None,
    containers: Annotated[
        bool, typer.Option("--containers", help="Run every task in a container of its image, with Docker.")
    ] = False,
) -> None:
    """Compare models on the same people and folds: accuracy, AUC, ROC curves, cost, pairs."""
    from pipelines.cli import run_any

    run_any("comparison", find_comparison(study, overrides), runs, publish, containers)


def try_model(
    study: StudyFile,
    model: Model,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", help="A setting to try: step__parameter=value. May be given often."),
    ] = None,
    fold: Fold = 1,
    overrides: Overrides = None,
) -> None:
    """Try one model's settings: print the score on the inner folds of a fold as name=value."""
    import tempfile

    from genotransfer.comparison.people import load_people, prepare_people
    from genotransfer.comparison.trial import parse_parameters, try_settings

    chosen = find_comparison(study, overrides)
    settings = parse_parameters(parameters or [])
    with tempfile.TemporaryDirectory() as folder:
        prepare_people(chosen, folder)
        score = try_settings(chosen, model, load_people(folder), settings, fold)
    typer.echo(f"{chosen.scoring}={score:.6f}")


def katib(
    study: StudyFile,
    model: Model,
    out: Annotated[Path, typer.Option(help="Where the experiment is written.")] = Path("experiment.yaml"),
    fold: Fold = 1,
    parallel: Annotated[int, typer.Option(min=1, help="Trials at a time.")] = 3,
    overrides: Overrides = None,
) -> None:
    """Write a model's search as a Katib experiment, for kubectl apply."""
    import yaml

    from components import images
    from genotransfer.comparison.katib import make_experiment
    from genotransfer.comparison.pipelines import check_models
    from genotransfer.formats.files import replace_together
    from pipelines.placement import find_image

    chosen = find_comparison(study, overrides)
    check_models(chosen, searched_here=False)
    image = find_image(images.TRAIN, "judge-model", chosen.cluster)
    objects = make_experiment(chosen, model, image, fold=fold, parallel=parallel)
    with replace_together(out) as [path]:
        path.write_text(yaml.dump_all(objects, sort_keys=False))
    typer.echo(out)


def show_comparison(folder: Path, console: Console) -> None:
    """Show the results of a finished comparison."""
    import pandas as pd

    from genotransfer.comparison.results import read_by_model

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in (
        "model",
        "accuracy",
        "95 %",
        "sensitivity",
        "specificity",
        "precision",
        "AUC",
        "95 % of AUC",
    ):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    rows = read_by_model(folder / "results.csv").to_dict("records")
    for row in rows:
        table.add_row(
            row["model"],
            f"{row['accuracy']:.3f}",
            f"{row['low']:.2f}-{row['high']:.2f}",
            *(f"{row[name]:.3f}" for name in ("sensitivity", "specificity", "precision", "auc")),
            "" if pd.isna(row["auc_low"]) else f"{row['auc_low']:.2f}-{row['auc_high']:.2f}",
        )
    console.print(table)
    for name, told in (
        ("oracle_accuracy", "True risk SNPs on the same people (the oracle)"),
        ("ceiling", "The most SNPs of this heritability allow (the ceiling)"),
    ):
        if not pd.isna(rows[0][name]):
            console.print(f"{told}: {rows[0][name]:.3f}", highlight=False)


def find_comparison(name: str, overrides: list[str] | None) -> ComparisonStudy:
    """Load a comparison by path, or by the name of a shipped one.

    Raises
    ------
    StudyError
        It is a study of another kind.
    """
    from genotransfer.comparison.settings import ComparisonStudy
    from pipelines.kinds import find_any_study

    kind, study = find_any_study(name, overrides)
    if not isinstance(study, ComparisonStudy):
        raise StudyError(
            f"{name} is no comparison of models but of the kind {kind!r}. Its file begins with 'pipeline: comparison'."
        )
    return study


COMMANDS = (compare_models, try_model, katib)
