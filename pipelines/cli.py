"""The command line: `genotransfer run`, `convert`, `associate`, and the commands of other modules."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from genotransfer.config import Study, TestName
from genotransfer.disk import explain_full_disk
from genotransfer.errors import GenotransferError, StudyError
from genotransfer.exome_cnn.settings import KIND
from genotransfer.release import name_release
from genotransfer.study_files import load_study
from pipelines import (
    comparison_commands,
    exome_cnn_commands,
    exome_commands,
    interpretation_commands,
    prediction_commands,
    registry_commands,
    retraining_commands,
)
from pipelines.cluster_commands import add_cluster_commands
from pipelines.kinds import STUDIES as STUDIES
from pipelines.kinds import AnyStudy, find_any_study, list_shipped

app = typer.Typer(
    help="Carry genotype-phenotype knowledge from a large population to a small one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
AssociationTest = StrEnum("AssociationTest", list(get_args(TestName)))
# What an interruption ends with.
STOPPED = 130
# How the results of a run are shown, by kind; those of a transfer study otherwise.
SHOWN: dict[str, Callable[[Path, Console], None]] = {
    KIND: exome_cnn_commands.show_results,
    "comparison": comparison_commands.show_comparison,
}
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Replace a setting: key.key=value. May be given often.")
]
StudyFile = Annotated[str, typer.Argument(help="A study file, or the name of one that is shipped.")]


def main() -> None:
    """Run the command line; errors a user can mend end with status 2 and no traceback."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # what TensorFlow tells its developers
    for one in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(one) == signal.SIG_DFL:  # nohup ignores one
            signal.signal(one, signal.default_int_handler)
    try:
        try:
            app()
        except OSError as error:
            raise explain_full_disk(error) or error from None
    except GenotransferError as error:
        users = getattr(error, "users", True)
        # Escaped: a message may hold brackets, as in genotransfer[vcf], that are no markup.
        # A name from a file may hold what moves a terminal's cursor or renames its window.
        shown = "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in str(error))
        message = f"[bold red]Error[/] {escape(shown)}"
        Console(stderr=True).print(message, highlight=False, soft_wrap=True)
        sys.exit(2 if users else 1)
    except SystemExit as end:
        if end.code == STOPPED:
            sys.stdout.flush()
            os._exit(STOPPED)  # at once: KFP's pool would go on with its next tasks
        raise


@app.callback(invoke_without_command=True)
def show_version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Print the version when asked to."""
    if version:
        typer.echo(name_release())
        raise typer.Exit


@app.command()
def run(
    study: StudyFile,
    overrides: Overrides = None,
    runs: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("runs"),
    publish: Annotated[
        str | None, typer.Option(help="Then send the run's folder below this gs:// address.")
    ] = None,
    containers: Annotated[
        bool, typer.Option("--containers", help="Run every task in a container of its image, with Docker.")
    ] = False,
) -> None:
    """Run a study on this machine: report, results and every artifact go to runs/<id>/."""
    run_any(*find_any_study(study, overrides), runs, publish, containers)


def run_any(kind: str, study: AnyStudy, runs: Path, publish: str | None, containers: bool) -> None:
    """Run a study of any kind on this machine, show what it found, and publish it where that is asked for."""
    from pipelines.local import run_pipeline
    from pipelines.publishing import check_places, publish_run

    check_places(runs, publish)
    console = Console(file=sys.stdout)  # fixed, for the run redirects standard output to its log
    folder = run_pipeline(kind, study, runs, console, containers)
    _show_run(folder, console)
    if publish:
        console.print(f"Published: {publish_run(folder, publish)}", soft_wrap=True, highlight=False)


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")] = Path("runs/latest"),
) -> None:
    """Go on with a run that failed or was stopped; what was done is not done again."""
    from pipelines.local import resume_run

    console = Console(file=sys.stdout)
    _show_run(resume_run(run, console), console)


@app.command()
def replicate(
    study: StudyFile,
    seeds: Annotated[str, typer.Option(help="Seeds to run: 1-20, or 1,3,5-8.")] = "1-20",
    overrides: Overrides = None,
    runs: Annotated[Path, typer.Option(help="Folder of the replicates.")] = Path("runs/replicates"),
) -> None:
    """Run a study with many seeds and gather what they reached; seeds that are done are not run again."""
    from pipelines.replicates import parse_seeds, run_replicates

    console = Console(file=sys.stdout)
    folder = run_replicates(find_study(study, overrides), parse_seeds(seeds), runs, console)
    _show_replicates(folder / "accuracies.csv", console)
    console.print(f"Gathered: {folder}", soft_wrap=True, highlight=False)


add_cluster_commands(app)


@app.command()
def associate(
    bfile: Annotated[str, typer.Option(help="Prefix of a PLINK fileset.")],
    pheno: Annotated[str, typer.Option(help="Phenotype table: a header, a column IID.")],
    out: Annotated[str, typer.Option(help="The table to write, tab-separated.")],
    test: Annotated[AssociationTest, typer.Option(help="The test.")] = AssociationTest["allelic"],
    pheno_name: Annotated[str | None, typer.Option(help="Column of the phenotype.")] = None,
    threshold: Annotated[
        str | None, typer.Option(help="Cut a quantitative phenotype: mean, zero or a number.")
    ] = None,
    covar: Annotated[str | None, typer.Option(help="Covariates of the logistic test.")] = None,
) -> None:
    """Test each variant for association with a phenotype, as PLINK does."""
    from genotransfer.stages.commands import associate_files

    cut = threshold if threshold in (None, "mean", "zero") else _read_number(threshold)
    table, read = associate_files(
        bfile, pheno, test.value, out, pheno_name=pheno_name, threshold=cut, covar=covar
    )
    cases = int(read.table["phenotype"].sum())
    note = f"{len(table)} rows; {cases} cases, {len(read.table) - cases} controls"
    left = read.n_without_phenotype
    typer.echo(f"{out}: {note}" + (f"; {left} samples without a phenotype left out" if left else ""))


@app.command()
def convert(
    input: Annotated[str, typer.Argument(help="PLINK prefix, .gen, .vcf, .bcf, or 23andMe .txt.")],
    output: Annotated[str, typer.Argument(help="PLINK prefix, .gen, or a folder for 23andMe files.")],
    from_format: Annotated[str | None, typer.Option("--from", help="plink, oxford, vcf, 23andme.")] = None,
    to_format: Annotated[str | None, typer.Option("--to", help="plink, oxford, 23andme.")] = None,
    sample: Annotated[str | None, typer.Option(help="The .sample file of a .gen.")] = None,
    chromosome: Annotated[str | None, typer.Option(help="Chromosome of a .gen that has none.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="Variants of a 23andMe file: a .bim or PLINK prefix.")
    ] = None,
    hard_call_threshold: Annotated[float, typer.Option(help="Least probability of a called genotype.")] = 0.9,
) -> None:
    """Convert genotypes from one format to another."""
    from genotransfer.formats.convert import convert as convert_files

    done = convert_files(
        input,
        output,
        from_format=from_format,
        to_format=to_format,
        sample=sample,
        chromosome=chromosome,
        hard_call_threshold=hard_call_threshold,
        reference=reference,
    )
    typer.echo(
        f"{done.output}: {done.n_samples} samples, {done.n_variants} variants ({done.to_format}), "
        f"{done.n_missing} genotypes missing"
    )
    for reason, count in done.counts.items():
        if count:
            typer.echo(f"  {reason}: {count}")


def _read_number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise StudyError(f"--threshold {text!r} is neither mean, zero nor a number.") from error


for command in (
    *comparison_commands.COMMANDS,
    *exome_commands.COMMANDS,
    *exome_cnn_commands.COMMANDS,
    *interpretation_commands.COMMANDS,
    *prediction_commands.COMMANDS,
    *registry_commands.COMMANDS,
    *retraining_commands.COMMANDS,
):
    app.command()(command)


@app.command()
def studies() -> None:
    """List the studies that are shipped."""
    for name in list_shipped():
        typer.echo(name)


def find_study(name: str, overrides: list[str] | None) -> Study:
    """Load a transfer study by path, or by the name of a shipped one.

    Raises
    ------
    StudyError
        It is a study of another kind.
    """
    kind, study = find_any_study(name, overrides)
    if not isinstance(study, Study):
        raise StudyError(f"{name} is of the pipeline {kind!r}; this command takes transfer studies.")
    return study


def _show_run(folder: Path, console: Console) -> None:
    """Show what a run found, as those of its kind are shown."""
    from pipelines.local import name_kind

    show = SHOWN.get(name_kind(folder))
    if show is None:
        _show_results(load_study(folder / "study.yaml"), folder / "results.csv", console)
    else:
        show(folder, console)
    console.print(f"Report: {folder / 'report.html'}", soft_wrap=True, highlight=False)


def _show_results(study: Study, results: Path, console: Console) -> None:
    import pandas as pd

    rows = pd.read_csv(results)
    names = ["phenotype", "method", "panel", "model", "ED", "FD", "95 % of FD", "AUC"]
    title = f"{study.name}: {study.source} to {study.target}, chosen on ED, read once on FD"
    table = Table(title=title, box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in names:
        table.add_column(name, justify="left" if name in names[:4] else "right", no_wrap=True)
    last = ""
    for row in rows.to_dict("records"):
        model = row["model"]
        if row["method"] == "deep_finetuned":
            model += f" ({row['trainable_layers']})"
        table.add_row(
            "" if row["phenotype"] == last else row["phenotype"],
            row["method"],
            row["panel"],
            model,
            f"{row['ed_accuracy']:.3f}",
            f"{row['fd_accuracy']:.3f}",
            f"{row['fd_low']:.2f}-{row['fd_high']:.2f}",
            "" if pd.isna(row["fd_auc"]) else f"{row['fd_auc']:.3f}",
        )
        last = row["phenotype"]
    console.print(table)
    known = rows.drop_duplicates("phenotype").dropna(subset=["oracle_accuracy"])
    if len(known):
        oracle = ", ".join(f"{row.phenotype} {row.oracle_accuracy:.3f}" for row in known.itertuples())
        console.print(f"True risk SNPs on FD (the oracle): {oracle}", highlight=False)
    for ceiling in sorted(set(rows["ceiling"].dropna())):
        console.print(
            f"The most SNPs of this heritability allow (the ceiling): {ceiling:.3f}", highlight=False
        )


def _show_replicates(accuracies: Path, console: Console) -> None:
    import pandas as pd

    table = Table(title="Means over replicates; gains against no transfer", box=None, padding=(0, 1, 0, 0))
    for name in ("risk SNPs", "method", "n", "ED", "FD", "95 %", "gain", "95 % of gain"):
        table.add_column(name, no_wrap=True)
    for row in pd.read_csv(accuracies, dtype={"n_risk_snps": str}).to_dict("records"):
        spans = [
            "" if pd.isna(row[low]) else f"{row[low]:{form}} to {row[high]:{form}}"
            for low, high, form in (("fd_low", "fd_high", ".3f"), ("gain_low", "gain_high", "+.3f"))
        ]
        table.add_row(
            *(str(row[name]) for name in ("n_risk_snps", "method", "n_replicates")),
            f"{row['ed']:.3f}",
            f"{row['fd']:.3f}",
            spans[0],
            "" if pd.isna(row["gain"]) else f"{row['gain']:+.3f}",
            spans[1],
        )
    console.print(table)


if __name__ == "__main__":
    main()
