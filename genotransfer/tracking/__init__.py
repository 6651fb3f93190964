"""MLflow: runs of a study, and the registry of its models. The only package that imports mlflow.

`genotransfer.prediction.pyfunc_code`, which MLflow itself runs, is the one exception.
"""

from genotransfer.tracking.registry import fetch_bundle
from genotransfer.tracking.study import track_study

__all__ = ["fetch_bundle", "track_study"]
