"""Prediction from a table with one column a variant, as a model server hands it over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float32

from genotransfer.errors import InputError
from genotransfer.evaluation import predict_cases
from genotransfer.prediction.opened import Bundle

# MLflow checks a signature column by column: 20,000 cost 2 s a call, and an error of 760 kB. Models with
# more variants than this are logged without one of the input; `predict_frame` checks the columns itself.
MOST_SIGNED = 2000
# The code MLflow logs and runs; a path, for importing it needs MLflow.
PYFUNC_CODE = Path(__file__).with_name("pyfunc_code.py")


def predict_frame(bundle: Bundle, frame: pd.DataFrame) -> pd.DataFrame:
    """Predict for people whose dosages are a table.

    Parameters
    ----------
    frame : one row a person and one column a variant, by its id, in any order: 0 to 2 copies of the
        counted allele, NaN where missing.

    Returns
    -------
    probability (float64) of being a case and predicted (int64; 1 case, 0 control), index as given.

    Raises
    ------
    InputError
        A column is absent, doubled or not the model's, or a value is no dosage.
    """
    scores = bundle.score(_read_dosages(bundle, frame))
    return pd.DataFrame(
        {"probability": scores, "predicted": predict_cases(scores).astype(np.int64)}, index=frame.index
    )


def describe_pyfunc(bundle: Bundle) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return an example of what the pyfunc takes, one person of mean dosages, and what it gives for it.

    The input's columns are float64, so that whole and missing dosages fit a signature made from it; make one
    of the output alone where the model has more than `MOST_SIGNED` variants.
    """
    frequency = bundle.variants["frequency"].to_numpy(dtype=np.float64)
    mean = np.where(np.isfinite(frequency), 2 * frequency, 0.0)
    frame = pd.DataFrame(mean[None], columns=[str(name) for name in bundle.variants["id"]])
    return frame, predict_frame(bundle, frame)


def _read_dosages(bundle: Bundle, frame: pd.DataFrame) -> Float32[np.ndarray, "n n_variants"]:
    names = pd.Index(frame.columns.astype(str))
    wanted = pd.Index(bundle.variants["id"].astype(str))
    if names.duplicated().any():
        raise _refuse(f"the column {names[names.duplicated()][0]!r} stands twice", bundle)
    strange, absent = names.difference(wanted), wanted.difference(names)
    if len(strange):
        raise _refuse(f"{len(strange)} columns are no variants of the model, such as {strange[0]!r}", bundle)
    if len(absent):
        raise _refuse(
            f"{len(absent)} of the model's {len(wanted)} variants have no column, such as {absent[0]!r}",
            bundle,
        )
    ordered = frame.set_axis(names, axis=1)[wanted]
    try:
        dosages = ordered.to_numpy(dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise _refuse(f"a dosage is no number ({error})", bundle) from error
    bad = ~(np.isnan(dosages) | ((dosages >= 0) & (dosages <= 2)))
    if bad.any():
        row, column = (int(one[0]) for one in np.nonzero(bad))
        raise InputError(
            f"the dosage of {wanted[column]} is {dosages[row, column]:g}",
            row=row + 1,
            file="the table",
            remedy="Give 0 to 2 copies of the counted allele, and leave empty (NaN) what is missing",
        )
    return dosages


def _refuse(problem: str, bundle: Bundle) -> InputError:
    first = bundle.variants.iloc[0]
    return InputError(
        problem,
        file="the table",
        remedy=f"Give one column for each of the model's {bundle.n_variants} variants by its id, the first "
        f"{first['id']!r} (copies of {first['counted']}), and NaN where a person has no genotype",
    )
