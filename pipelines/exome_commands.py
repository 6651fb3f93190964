"""Commands on exomes: `genotransfer exome` and `simulate-exome`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Replace a setting: key=value. May be given often.")
]


def exome(
    input: Annotated[Path, typer.Argument(help="Multi-sample .vcf, .vcf.gz or .bcf.")],
    out: Annotated[str, typer.Argument(help="Prefix of the PLINK fileset to write.")],
    overrides: Overrides = None,
    exclude: Annotated[Path | None, typer.Option(help="Samples to leave out, one name a line.")] = None,
    genes: Annotated[
        Path | None, typer.Option(help="Gene models: refGene table, GTF or BED. Writes OUT.genes.tsv.")
    ] = None,
    vcf: Annotated[Path | None, typer.Option(help="Also write the variants as VCF, .vcf or .vcf.gz.")] = None,
) -> None:
    """Filter an exome's VCF to a PLINK fileset, count what each step removed, and name genes."""
    from genotransfer.exome.annotation import annotate_variants, write_annotation
    from genotransfer.exome.control import control_exome, write_steps
    from genotransfer.exome.gene_models import read_gene_models
    from genotransfer.exome.settings import ExomeSettings, parse_settings
    from genotransfer.formats.plink import strip_suffix

    prefix = strip_suffix(out)
    settings = parse_settings(ExomeSettings, overrides)
    if exclude is not None:
        named = (*settings.excluded_samples, *_read_names(exclude))
        settings = settings.model_copy(update={"excluded_samples": tuple(dict.fromkeys(named))})
    models = None if genes is None else read_gene_models(genes)  # an error in it comes before the long part
    result = control_exome(input, prefix, settings, vcf_out=vcf)
    write_steps(f"{prefix}.steps.tsv", result.steps)
    _print_steps(result.steps)
    typer.echo(f"{prefix}: {result.genotypes.n_samples} samples, {result.genotypes.n_variants} variants")
    typer.echo(f"{prefix}.steps.tsv: what each step removed")
    if models is not None:
        annotation = annotate_variants(result.genotypes.variants, models)
        write_annotation(f"{prefix}.genes.tsv", annotation)
        counted = annotation["region"].value_counts()
        told = ", ".join(f"{region} {count}" for region, count in counted.items())
        typer.echo(f"{prefix}.genes.tsv: {told}")


def simulate_exome(
    folder: Annotated[Path, typer.Argument(help="Folder to write, absent or empty.")],
    overrides: Overrides = None,
) -> None:
    """Make a synthetic exome of cases and controls, with its genes and its truth."""
    import json

    from genotransfer.exome.settings import parse_settings
    from genotransfer.exome.synthetic import SyntheticExome
    from genotransfer.exome.synthetic import simulate_exome as simulate

    genotypes = simulate(folder, parse_settings(SyntheticExome, overrides))
    ceiling = json.loads((folder / "truth.json").read_text())["ceiling"]
    typer.echo(f"{folder}: {genotypes.n_samples} samples, {genotypes.n_variants} variants")
    typer.echo(
        f"The most that can be predicted: accuracy {ceiling['accuracy']:.3f}, AUC {ceiling['auc']:.3f}; "
        f"everyone the commoner class: {ceiling['majority']:.3f}"
    )


COMMANDS = (exome, simulate_exome)


def _read_names(path: Path) -> list[str]:
    from genotransfer.formats.files import decode_text, read_lines

    lines = [decode_text(line, path, row).strip() for row, line in read_lines(path)]
    return [line for line in lines if line]


def _print_steps(steps: pd.DataFrame) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("step", "unit", "before", "removed", "left"):
        shown.add_column(name, justify="left" if name in ("step", "unit") else "right", no_wrap=True)
    for row in steps[["step", "unit", "before", "removed", "left"]].astype(str).itertuples(index=False):
        shown.add_row(*row)
    Console(width=120).print(shown)
