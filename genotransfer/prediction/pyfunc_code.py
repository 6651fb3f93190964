"""The model as MLflow serves it: logged as code, with a bundle as its artifact ``bundle``.

Log it with ``mlflow.pyfunc.log_model(name=..., python_model=<path of this file>, artifacts={"bundle":
folder})``. Beside `genotransfer.tracking` the one place that imports mlflow. Loading it imports no
library that trains, and TensorFlow only where a model of the bundle is a network.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from genotransfer.prediction.frames import predict_frame
from genotransfer.prediction.opened import load_bundle

__all__ = ["GenotransferModel"]


class GenotransferModel(PythonModel):  # type: ignore[misc]
    """A bundle behind MLflow's interface."""

    def load_context(self, context: Any) -> None:
        """Open the bundle, having checked its files."""
        self.bundle = load_bundle(context.artifacts["bundle"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Return probability and predicted of each row; see `predict_frame`."""
        return predict_frame(self.bundle, model_input)


set_model(GenotransferModel())
