"""One act on a registry in a process of its own, which a test can start beside others, or kill.

python -m tests.integration.act WHAT ARGUMENTS, with the arguments as JSON.
"""

import json
import sys
import time
from pathlib import Path

from genotransfer.study_files import parse_study


def wait_for(gate: str) -> None:
    """Say that all is imported, and go on when the gate is there."""
    from genotransfer.tracking import promotion, registry  # noqa: F401

    print("ready", flush=True)
    while not Path(gate).exists():
        time.sleep(0.005)


def register(study: str, halt: int, **given: object) -> None:
    """Register the models of a run, and halt where the files of model `halt` have gone to the store.

    MLflow does not call that model ready yet. Whoever waits sees "ready" then, and kills this process.
    """
    from mlflow import MlflowClient

    from genotransfer.tracking.registry import register_models

    go_on, called = MlflowClient.finalize_logged_model, 0

    def finalize(client: MlflowClient, model_id: str, status: object) -> object:
        nonlocal called
        called += 1
        if called == halt:
            print("ready", flush=True)
            time.sleep(3600)
        return go_on(client, model_id, status)

    MlflowClient.finalize_logged_model = finalize
    register_models(parse_study(study), **given)


def promote(study: str, gate: str, **given: str) -> None:
    """Decide on versions, together with whoever waits at the gate."""
    from genotransfer.tracking.promotion import promote_models

    wait_for(gate)
    promote_models(parse_study(study), **given)


def hold(uri: str, name: str, seconds: float) -> None:
    """Hold the lock of a model for a while."""
    from genotransfer.tracking.client import connect
    from genotransfer.tracking.locks import lock_model

    with connect(uri) as client, lock_model(client, name):
        print("held", flush=True)
        time.sleep(seconds)


if __name__ == "__main__":
    acts = {one.__name__: one for one in (register, promote, hold)}
    acts[sys.argv[1]](**json.loads(sys.argv[2]))
