"""The command `genotransfer interpret`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

People = StrEnum("People", ["source", "target"])


def interpret(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, such as runs/latest.")],
    out: Annotated[Path, typer.Argument(help="Folder to write tables and figures to.")],
    phenotype: Annotated[
        list[str] | None, typer.Option(help="Its name in the study, such as 5_1; all when not given.")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Whose model: chosen, or a method of the study; all when not given."),
    ] = None,
    people: Annotated[
        People | None,
        typer.Option(help="Whose people explain the models; the study's setting when not given."),
    ] = None,
    genes: Annotated[
        Path | None, typer.Option(help="Gene models, refGene, GTF or BED, of the genotypes' genome build.")
    ] = None,
    person: Annotated[
        list[str] | None, typer.Option(help="IID of a person who learnt, to explain alone; may be repeated.")
    ] = None,
) -> None:
    """Say which variants and genes the models of a run rest on, for everyone or for one person."""
    from genotransfer.stages.interpretation_again import interpret_again
    from pipelines.run_folder import RunFolder

    done = RunFolder(run)
    study = done.study
    by_phenotype = {
        name: {str(facts["phenotype"]): str(path) for path, facts in done.list(task, output)}
        for name, task, output in (
            ("phenotypes", "control_quality", "kept_phenotypes"),
            ("truths", "prepare_phenotypes", "truth"),
            ("associations", "test_association", "association"),
        )
    }
    written = interpret_again(
        study,
        done.find("select_best_model", "selection"),
        done.models,
        genotypes={
            role: str(done.find("prepare_genotypes", f"{role}_genotypes")) for role in ("source", "target")
        },
        folder=out,
        named=phenotype,
        methods=method,
        role=None if people is None else people.value,
        gene_models=genes,
        people=person,
        **by_phenotype,
    )
    for path in written:
        sys.stdout.write(f"{path}\n")


COMMANDS = (interpret,)
