"""A polygenic score as a text file in the PGS Catalog's layout, which PLINK and pgsc_calc read.

Source: PGS Catalog scoring file format 2.0, https://www.pgscatalog.org/downloads/.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64

from genotransfer.errors import InputError
from genotransfer.models.predictors import ScorePredictor

COLUMNS = ["rsID", "effect_allele", "other_allele", "effect_weight"]
REMEDY = "Train and save the model again"


def write_scoring_file(path: str | Path, predictor: ScorePredictor) -> None:
    """Write a score: a header of ``#`` lines, then one row a variant; weights are log odds."""
    lines = [
        "###PGS CATALOG SCORING FILE",
        "#format_version=2.0",
        f"#pgs_name={predictor.score_name}",
        f"#variants_number={len(predictor.variants)}",
        "#weight_type=log(OR)",
        f"#log_odds_at_mean_dosages={float(predictor.constant)!r}",
        "\t".join(COLUMNS),
    ]
    rows = zip(*(predictor.variants[name] for name in ("id", "counted", "other")), strict=True)
    lines += [
        f"{name}\t{counted}\t{other}\t{float(effect)!r}"
        for (name, counted, other), effect in zip(rows, predictor.effects, strict=True)
    ]
    Path(path).write_text("\n".join(lines) + "\n")


def read_scoring_file(
    path: str | Path, variants: pd.DataFrame
) -> tuple[Float64[np.ndarray, " n_variants"], float, str]:
    """Read what `write_scoring_file` wrote.

    Parameters
    ----------
    variants : id, counted and other, which the file must repeat in this order.

    Returns
    -------
    Effects, log odds at mean dosages, and the name of the score.

    Raises
    ------
    InputError
        The file is malformed or of other variants.
    """
    path = Path(path)
    try:
        lines = path.read_text().splitlines()
        header = dict(line[1:].split("=", 1) for line in lines if line.startswith("#") and "=" in line)
        body = [line.split("\t") for line in lines if not line.startswith("#")]
        if not body or any(len(row) != len(COLUMNS) for row in body) or body[0] != COLUMNS:
            raise ValueError(f"each row must have {', '.join(COLUMNS)}")
        table = pd.DataFrame(body[1:], columns=COLUMNS)
        effects = np.array([float(weight) for weight in table["effect_weight"]], dtype=np.float64)
        constant, name = float(header["log_odds_at_mean_dosages"]), header["pgs_name"]
        if not np.isfinite([*effects, constant]).all():
            raise ValueError("a weight is not a finite number")
        given = table[COLUMNS[:3]].to_numpy(dtype=object)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"this is no scoring file ({error})", remedy=REMEDY, file=path) from error
    expected = variants[["id", "counted", "other"]].to_numpy(dtype=object)
    if given.shape != expected.shape or (given != expected).any():
        raise InputError("the scoring file is of other variants than its manifest", remedy=REMEDY, file=path)
    return effects, constant, name
