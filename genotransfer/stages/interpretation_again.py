"""The interpretation of a run that ended: other people or methods, genes, and single persons."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from genotransfer.alignment import match_variants
from genotransfer.config import Study
from genotransfer.errors import StudyError
from genotransfer.exome.gene_models import read_gene_models
from genotransfer.formats.files import replace_together
from genotransfer.interpretation.tables import list_leads, name_genes, sum_genes
from genotransfer.models.store import load_predictor
from genotransfer.phenotypes import read_phenotype_table
from genotransfer.randomness import make_generator
from genotransfer.splits import SPLITS
from genotransfer.stages.genotypes import open_population
from genotransfer.stages.interpretation import (
    ABOUT,
    Asked,
    choose_role,
    gather_cohort,
    interpret_models,
    leading_kind,
    name_figure,
    read_members,
)

PERSON_COLUMNS = [
    "phenotype", "method", "key", "iid", "output", "fit", "id", "chromosome", "position", "n_variants",
    "contribution",
]  # fmt: skip

GENE_COLUMNS = ["kind", "gene", "share", "n_variants", "lead"]


def interpret_again(
    study: Study,
    selection_folder: str | Path,
    models: dict[str, str],
    phenotypes: dict[str, str],
    truths: dict[str, str],
    associations: dict[str, str],
    genotypes: dict[str, str],
    folder: str | Path,
    *,
    named: list[str] | None = None,
    methods: list[str] | None = None,
    role: str | None = None,
    gene_models: str | Path | None = None,
    people: list[str] | None = None,
) -> list[Path]:
    """Interpret the models of a run once more, and return what was written.

    Beside what `interpretation.interpret_models` writes: ``genes.tsv`` and a column ``gene`` in
    ``variants.tsv`` where gene models are given, and ``people.tsv`` where people are named.

    Parameters
    ----------
    study : the study that was run, whatever it says of interpretation.
    named : phenotypes; all when None.
    methods : whose chosen models; all when None.
    role : whose people explain them: ``source`` or ``target``; as the study says when None.
    gene_models : refGene, GTF or BED file.
    people : IIDs of people who learnt.

    Raises
    ------
    StudyError
        A phenotype, method or person is not in the study.
    InputError
        A file is absent or malformed.
    """
    genes = None if gene_models is None else read_gene_models(gene_models)
    role, folder = choose_role(study, role), Path(folder)
    asked = named or study.phenotype_names
    absent = [name for name in asked if name not in study.phenotype_names]
    if absent:
        raise StudyError(
            f"The study has no phenotype {absent[0]!r}. Choose from: {', '.join(study.phenotype_names)}."
        )
    chosen = {name: read_members(selection_folder, name, methods) for name in asked}
    for name in asked if people else []:
        _check_people(study, phenotypes[name], role, people or [])
    outputs = study.outputs.model_copy(update={"interpretation": True, "figures": True})
    interpret_models(
        study.model_copy(update={"outputs": outputs}),
        selection_folder,
        models,
        phenotypes,
        truths,
        associations,
        genotypes,
        folder,
        asked=Asked(role, methods, phenotypes=asked),
    )
    importance = pd.read_parquet(folder / "importance.parquet")
    tables = {"variants.tsv": _list_variants(importance)}
    if genes is not None:
        places = name_genes(importance, genes)
        tables["variants.tsv"] = tables["variants.tsv"].merge(places, on="id", how="left")
        parts = [
            sum_genes(one, places).assign(**{name: one[name].iloc[0] for name in ABOUT})
            for _, one in importance.groupby(ABOUT, sort=False)
        ]
        tables["genes.tsv"] = _stack(parts, [*ABOUT, *GENE_COLUMNS])
    if people:
        parts = [
            _explain_people(
                study, members[members["method"] == method], models, phenotypes[phenotype], genotypes[role],
                phenotype, method, role, people,
            )
            for phenotype, members in chosen.items()
            for method in dict.fromkeys(members["method"])
        ]  # fmt: skip
        tables["people.tsv"] = _stack(parts, PERSON_COLUMNS)
    with replace_together(*(folder / name for name in tables)) as paths:
        for path, table in zip(paths, tables.values(), strict=True):
            table.to_csv(path, sep="\t", index=False, lineterminator="\n")
    for name in {"genes.tsv", "people.tsv"} - set(tables):  # of an earlier call, about other models perhaps
        (folder / name).unlink(missing_ok=True)
    figures = [path for path in (folder / name_figure(study, name) for name in asked) if path.exists()]
    return [folder / name for name in ("importance.parquet", "recovery.parquet", *tables)] + figures


def _list_variants(importance: pd.DataFrame) -> pd.DataFrame:
    """Return the leads of each model by the measure that ranks them, as a table to be read."""
    parts = [
        list_leads(one[one["kind"] == leading_kind(one)])
        for _, one in importance.groupby(["phenotype", "method"], sort=False)
    ]
    columns = [
        "kind",
        "bin_rank",
        "id",
        "chromosome",
        "position",
        "counted",
        "other",
        "bin_share",
        "direction",
    ]
    return _stack(parts, [*ABOUT, *columns, "risk_id", "risk_r2"])


def _stack(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True)[columns]


def _check_people(study: Study, phenotypes_folder: str | Path, role: str, people: list[str]) -> None:
    """Refuse people who did not learn."""
    table = read_phenotype_table(Path(phenotypes_folder) / f"{role}.tsv")
    known = set(table.loc[table["split"].isin(SPLITS), "IID"])
    strangers = [one for one in people if one not in known]
    if strangers:
        raise StudyError(
            f"{strangers[0]!r} is nobody in TD, VD or ED of {getattr(study, role)}. Name people who learnt, or "
            "explain by the other population's people."
        )


def _explain_people(
    study: Study,
    members: pd.DataFrame,
    models: dict[str, str],
    phenotypes_folder: str | Path,
    genotypes_folder: str,
    phenotype: str,
    method: str,
    role: str,
    people: list[str],
) -> pd.DataFrame:
    """Explain some people's outputs of the models behind one choice, one model after another."""
    cohort = gather_cohort(phenotypes_folder, genotypes_folder, role)
    population = open_population(genotypes_folder)
    chosen = population.select(samples=population.locate_samples(people))
    parts = []
    for key, part in members[["key", "part"]].itertuples(index=False):
        predictor = load_predictor(Path(models[part]) / key)
        dosages = match_variants(chosen, predictor.variants).read()
        for iid, person in zip(people, dosages, strict=True):
            generator = make_generator(study.seed, "person", key, iid)
            told, local = cohort.explain_person(predictor, person, generator)
            about = {"phenotype": phenotype, "method": method, "key": key, "iid": iid}
            parts.append(told.assign(**about, output=local.output, fit=local.fit)[PERSON_COLUMNS])
    return pd.concat(parts, ignore_index=True)
