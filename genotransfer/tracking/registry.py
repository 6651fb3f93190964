"""The registry: a registered model for each phenotype of the target, its versions, and their aliases.

A version is made when the whole of its model is in the store and has been checked there; aliases are
moved after that. Whatever stops in the middle leaves the registry pointing at whole models.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from genotransfer.candidates import CHOSEN
from genotransfer.config import Study
from genotransfer.errors import InputError, StudyError
from genotransfer.final_data import hash_final, read_final
from genotransfer.formats.files import replace_together
from genotransfer.prediction.bundle import Bundle, BundleFacts, export_bundle, load_bundle
from genotransfer.tracking.client import connect, find_store, find_uri, hide_password
from genotransfer.tracking.pyfunc import BUNDLE, log_bundle

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"
MEASURES = ("accuracy", "low", "high", "auc", "auc_low", "auc_high", "n", "brier")


@dataclass(frozen=True)
class Registered:
    """A version of a registered model.

    Attributes
    ----------
    phenotype : without the population.
    name, version : of the registered model.
    run : the MLflow run of the model.
    """

    phenotype: str
    name: str
    version: str
    run: str


def name_model(study: Study, phenotype: str) -> str:
    """Return the name of a phenotype's registered model."""
    return f"{study.registry.prefix or study.name}-{study.target}-{phenotype}"


def register_models(
    study: Study,
    tracked: str | Path,
    results_folder: str | Path,
    selection_folder: str | Path,
    models: dict[str, str],
    genotypes: dict[str, str],
    phenotypes: dict[str, str],
    registered: str | Path,
) -> list[Registered]:
    """Register each phenotype's chosen model as its challenger.

    A run whose model is registered already is not registered twice.

    Parameters
    ----------
    study : the study; ``registry`` and ``tracking`` say where and as what.
    tracked : the ids of the runs, as `track_study` wrote them.
    results_folder, selection_folder : what earlier stages wrote.
    models : folders of saved models by part.
    genotypes : folders of the filesets by role.
    phenotypes : folders of the learning people's labels by phenotype.
    registered : where the versions are written, JSON.

    Raises
    ------
    StudyError
        MLflow cannot be reached, or refused.
    """
    made: list[Registered] = []
    if study.registry.enabled:
        uri = find_uri(study)
        runs = json.loads(Path(tracked).read_text())
        results = pd.read_parquet(Path(results_folder) / "results.parquet")
        rows = results[results["method"] == CHOSEN]
        with connect(uri) as client, tempfile.TemporaryDirectory() as temporary:
            for _, row in rows.iterrows():
                phenotype = str(row["phenotype"])
                bundle = export_bundle(
                    Path(temporary) / phenotype / BUNDLE,  # MLflow keeps the name of the folder
                    study,
                    phenotype,
                    selection_folder=selection_folder,
                    results_folder=results_folder,
                    models=models,
                    genotypes=genotypes,
                    phenotypes_folder=phenotypes[phenotype],
                )
                run = runs[f"{phenotype}/{CHOSEN}"]
                final = read_final(results_folder, phenotype)
                sha256 = hash_final(list(final["IID"]), final["label"].to_numpy())
                made.append(register_bundle(client, name_model(study, phenotype), run, bundle, row, sha256))
    write_registered(made, registered)
    return made


def write_registered(made: list[Registered], registered: str | Path) -> None:
    """Write versions for the tasks that come after, JSON."""
    with replace_together(registered) as [path]:
        path.write_text(json.dumps([asdict(one) for one in made], indent=1))


def read_registered(registered: str | Path) -> list[Registered]:
    """Return the versions that `write_registered` wrote."""
    return [Registered(**one) for one in json.loads(Path(registered).read_text())]


def register_bundle(
    client: MlflowClient, name: str, run: str, bundle: Bundle, row: pd.Series, final_sha256: str
) -> Registered:
    """Log a bundle to its run, register it, and make it the challenger; return the version.

    Parameters
    ----------
    name : of the registered model, which is made where there is none.
    run : id of the run.
    bundle : what is registered.
    row : of the results: model, and `MEASURES` with ``fd_`` before them.
    final_sha256 : of the people it was evaluated on, see `genotransfer.final_data`.
    """
    version = _find_version_of(client, name, run)
    if version is None:
        model_id = log_bundle(client, run, bundle)
        _make_model(client, name, bundle.facts)
        measures = {f"fd_{key}": f"{row[f'fd_{key}']:.6g}" for key in MEASURES if pd.notna(row[f"fd_{key}"])}
        version = client.create_model_version(
            name,
            # Not models:/ID, which MLflow looks for in the store of the process.
            source=client.get_logged_model(model_id).artifact_location,
            run_id=run,
            model_id=model_id,
            tags=measures | _tag(bundle, row) | {"final_sha256": final_sha256},
            description=describe_version(bundle),
        )
    client.set_registered_model_alias(name, CHALLENGER, version.version)
    return Registered(bundle.facts.phenotype, name, str(version.version), run)


def describe_version(bundle: Bundle) -> str:
    """Return what a version says of itself, Markdown."""
    facts = bundle.facts
    models = ", ".join(sorted({one.model for one in facts.members}))
    knowing = f", with knowledge from {facts.source}" if facts.source else ""
    more = f" and {facts.n_source:,} of {facts.source}" if facts.source else ""
    lines = [
        f"{facts.phenotype} of {facts.target}{knowing}: {models} ({facts.members[0].method}), "
        f"{len(bundle.variants):,} variants, {facts.n_target:,} people of {facts.target}{more}."
    ]
    if facts.final is not None:
        final = facts.final
        lines.append(
            f"On {final.n:,} people read once ({facts.tested_on}): accuracy {final.accuracy:.3f} "
            f"({final.accuracy_low:.3f} to {final.accuracy_high:.3f}), AUC {_write(final.auc)} "
            f"({_write(final.auc_low)} to {_write(final.auc_high)})."
        )
    return "\n\n".join(lines)


def fetch_bundle(model_uri: str, tracking_uri: str, folder: str | Path) -> Path:
    """Download the bundle of a registered model.

    Parameters
    ----------
    model_uri : ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
    tracking_uri : of the MLflow store; MLFLOW_TRACKING_URI's when empty.
    folder : where it is put, whole or not at all.

    Returns
    -------
    The folder.

    Raises
    ------
    InputError
        There is no such model, version or alias, or its files are gone, changed or no bundle.
    StudyError
        MLflow cannot be reached.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    uri = find_store(tracking_uri)
    name, place = parse_model(model_uri)
    with connect(uri) as client, tempfile.TemporaryDirectory() as temporary:
        try:
            if place.startswith("@"):
                place = str(client.get_model_version_by_alias(name, place[1:]).version)
            stored = client.get_model_version_download_uri(name, place).rstrip("/")
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            raise InputError(
                f"{model_uri} is not in the registry of {hide_password(uri)}: {error.message}",
                remedy="Give models:/NAME@champion or models:/NAME/VERSION; genotransfer models lists them",
            ) from error
        try:
            # Not by the models: address itself, which MLflow looks for in the store of the process.
            place = f"{stored}/artifacts/{BUNDLE}"
            found = Path(download_artifacts(artifact_uri=place, dst_path=temporary, tracking_uri=uri))
            load_bundle(found)
        except (MlflowException, OSError, InputError) as error:
            raise _refuse_stored(model_uri, uri, str(error).replace(f"{temporary}/", "")) from error
        with replace_together(folder, replace_folders=True) as [path]:
            shutil.copytree(found, path)
    return Path(folder)


def _refuse_stored(model_uri: str, uri: str, problem: str) -> InputError:
    place = hide_password(uri)
    return InputError(
        f"the registry of {place} does not give the whole of {model_uri}: {problem.replace(uri, place)}",
        remedy="Restore the artifact store, or take another version; genotransfer models lists them",
    )


def parse_model(model_uri: str) -> tuple[str, str]:
    """Return name, and ``@alias`` or version, of a model's address.

    Raises
    ------
    InputError
        It is not of the form ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
    """
    found = re.fullmatch(r"models:/(?P<name>[^/@]+)(?P<place>@[^/@]+|/[0-9]+)", model_uri)
    if found is None:
        raise InputError(
            f"{model_uri!r} names no model", remedy="Give models:/NAME@champion or models:/NAME/VERSION"
        )
    return found["name"], found["place"].removeprefix("/")


def find_champion(study: Study, phenotype: str) -> str:
    """Return the address of a phenotype's champion, ``models:/NAME/VERSION``.

    Raises
    ------
    StudyError
        There is none, or MLflow cannot be reached.
    """
    name = name_model(study, phenotype)
    with connect(find_uri(study)) as client:
        found = find_alias(client, name, CHAMPION)
    if found is None:
        raise StudyError(
            f"{name} has no champion. Run the study once, which registers one, then go on from it."
        )
    return f"models:/{name}/{found.version}"


def find_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """Return the version an alias points to; None where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _find_version_of(client: MlflowClient, name: str, run: str) -> ModelVersion | None:
    found = client.search_model_versions(f"name = '{name}' and run_id = '{run}'")
    return max(found, key=lambda one: int(one.version)) if found else None


def _make_model(client: MlflowClient, name: str, facts: BundleFacts) -> None:
    from mlflow.exceptions import MlflowException

    knowing = f" with knowledge from {facts.source}" if facts.source else ""

    try:
        client.create_registered_model(
            name,
            tags=_name_origin(facts),
            description=f"{facts.phenotype} of {facts.target}, predicted{knowing}.",
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _name_origin(facts: BundleFacts) -> dict[str, str]:
    source = {"source": facts.source} if facts.source else {}
    return {"target": facts.target, "phenotype": facts.phenotype, "study": facts.study} | source


def _tag(bundle: Bundle, row: pd.Series) -> dict[str, str]:
    facts = bundle.facts
    return _name_origin(facts) | {
        "model": str(row["model"]),
        "method": facts.members[0].method,
        "n_variants": str(len(bundle.variants)),
        "n_source": str(facts.n_source),
        "n_target": str(facts.n_target),
        "library": facts.library_version,
    }


def _write(value: float | None) -> str:
    return "undefined" if value is None or pd.isna(value) else f"{value:.3f}"
