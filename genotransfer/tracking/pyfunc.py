"""A bundle as an MLflow model: a pyfunc with signature, input example and requirements."""

from __future__ import annotations

import tempfile
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from genotransfer.errors import StudyError
from genotransfer.models.store import FILES_OF_KIND, WRITTEN_WITH
from genotransfer.prediction.frames import MOST_SIGNED, PYFUNC_CODE, describe_pyfunc
from genotransfer.prediction.opened import Bundle

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

BUNDLE = "bundle"
ALWAYS = ("genotransfer", "mlflow", "numpy", "pandas", "pyarrow", "scipy")
TENSORFLOW = ("tensorflow", "tensorflow-cpu")


def log_bundle(client: MlflowClient, run: str, bundle: Bundle) -> str:
    """Log a bundle to a run as a model of its own, ready when every file is in the store.

    Parameters
    ----------
    run : id of the run.
    bundle : what is logged, from its folder.

    Returns
    -------
    The id of the model.

    Raises
    ------
    StudyError
        A file is not in the store as it was written.
    """
    import mlflow
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    facts, example = bundle.facts, describe_pyfunc(bundle)
    experiment = client.get_run(run).info.experiment_id
    _give_up_pending(client, experiment, run)
    tags = {"target": facts.target, "phenotype": facts.phenotype, "study": facts.study}
    model_id = str(client.create_logged_model(experiment, "predictor", run, tags).model_id)
    try:
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary) / "predictor"
            mlflow.pyfunc.save_model(
                place,
                python_model=str(PYFUNC_CODE),
                artifacts={BUNDLE: str(bundle.folder)},
                signature=_sign(example),
                input_example=example[0],
                pip_requirements=list_requirements(bundle),
                mlflow_model=Model(run_id=run, model_id=model_id),
            )
            client.log_model_artifacts(model_id, str(place))
            _check_stored(client, model_id, place)
    except BaseException:
        client.finalize_logged_model(model_id, LoggedModelStatus.FAILED)
        raise
    client.finalize_logged_model(model_id, LoggedModelStatus.READY)
    client.log_outputs(run, [LoggedModelOutput(model_id, 0)])
    return model_id


def _sign(example: tuple[pd.DataFrame, pd.DataFrame]) -> ModelSignature:
    """Return the signature: of many variants that of the output alone; the model itself checks the input."""
    from mlflow.models import ModelSignature, infer_signature

    with warnings.catch_warnings():  # made into errors they would leave the signature empty
        warnings.simplefilter("ignore")
        signature = infer_signature(*example)
    if example[0].shape[1] > MOST_SIGNED:
        return ModelSignature(outputs=signature.outputs)
    return signature


def _give_up_pending(client: MlflowClient, experiment: str, run: str) -> None:
    """Mark what an earlier try, which was killed, left unfinished as failed."""
    from mlflow.entities import LoggedModelStatus

    for one in client.search_logged_models([experiment], filter_string=f"source_run_id = '{run}'"):
        if one.status == LoggedModelStatus.PENDING:
            client.finalize_logged_model(one.model_id, LoggedModelStatus.FAILED)


def list_requirements(bundle: Bundle) -> list[str]:
    """Return what a bundle needs to predict, pinned to what is installed."""
    files = {file for one in bundle.members for file in FILES_OF_KIND[one.predictor.kind]}
    names = [*ALWAYS, *sorted({name for file in files for name in WRITTEN_WITH[file]})]
    pinned = [f"{name}=={version(name)}" for name in names]
    if "keras" in names:
        pinned += [f"{name}=={found}" for name in TENSORFLOW if (found := _find_version(name))]
    return pinned


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _check_stored(client: MlflowClient, model_id: str, folder: Path) -> None:
    """Check that every file of a model is in the store, of its size."""
    stored: dict[str, int] = {}

    def walk(path: str | None) -> None:
        for one in client.list_logged_model_artifacts(model_id, path):
            if one.is_dir:
                walk(one.path)
            else:
                stored[one.path] = one.file_size

    walk(None)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and stored.get(name) != path.stat().st_size:
            raise StudyError(
                f"MLflow's store has {stored.get(name, 0)} of the {path.stat().st_size} bytes of {name}. "
                "Nothing was registered. Check the store's disk and run again."
            )
