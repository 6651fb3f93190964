"""The plan of a study of an exome: checked before anything runs, and read by every later stage."""

from __future__ import annotations

from pathlib import Path

from genotransfer.errors import StudyError
from genotransfer.exome_cnn.configurations import list_configurations
from genotransfer.exome_cnn.settings import ExomeCnnStudy, SimulatedExome
from genotransfer.formats.files import replace_together
from genotransfer.report.markdown import lay_out_table
from genotransfer.study_files import parse_text


def plan_study(text: str, forms: list[str], planned: str | Path, summary: str | Path) -> ExomeCnnStudy:
    """Check a study and the loop over its forms, and write it out with every setting.

    Parameters
    ----------
    text : the study, YAML or JSON.
    forms : what the pipeline loops over; must be the study's own.
    planned : where the study is written, as JSON, without its section `cluster`.
    summary : where what will be run is written in words, as Markdown.

    Raises
    ------
    StudyError
        The study is not valid, or the loop does not agree with it.
    """
    study = parse_text(text, ExomeCnnStudy)
    if sorted(forms) != sorted(study.sweep.forms):
        raise StudyError(
            f"The pipeline's parameter 'forms' is {forms}, but the study {study.name!r} has {study.sweep.forms}. "
            f"Set forms to {study.sweep.forms}."
        )
    with replace_together(planned, summary) as (path, told):
        path.write_text(study.to_json(with_cluster=False))
        told.write_text(describe_plan(study))
    return study


def read_study(planned: str | Path) -> ExomeCnnStudy:
    """Return the study a plan wrote."""
    return parse_text(Path(planned).read_text(), ExomeCnnStudy)


def describe_plan(study: ExomeCnnStudy) -> str:
    """Return what a study will run, as Markdown."""
    configurations = [one for form in study.sweep.forms for one in list_configurations(study.sweep, form)]
    n_folds = study.people.folds or 1
    exome = study.exome
    told = (
        f"simulated: {exome.n_samples:,} people, {exome.n_variants:,} variants, heritability {exome.heritability:g}"
        if isinstance(exome, SimulatedExome)
        else exome.genotypes
    )
    people = f"{n_folds} folds" if study.people.folds else f"one split, {100 * study.people.test:g} % tested"
    chosen = study.preselection
    limits = [f"p at most {chosen.p:g}"] if chosen.p is not None else []
    limits += [f"at most {chosen.n_variants:,}"] if chosen.n_variants is not None else []
    rows = [
        ("Exome", told),
        ("People", f"{people}; {100 * study.people.validation:g} % of the others validate"),
        ("Variants", ", ".join(limits)),
        ("Configurations", ", ".join(one.name for one in configurations)),
        ("Protocols", ", ".join(study.protocols)),
        ("Networks", f"{len(configurations) * n_folds * len(study.protocols):,}"),
        ("Seed", f"{study.seed}"),
    ]
    return f"# Study {study.name}\n\n" + lay_out_table(("", ""), rows)
