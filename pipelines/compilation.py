"""Compiling a pipeline for a cluster, with a study as the default of its parameters."""

from __future__ import annotations

import warnings
from pathlib import Path

from genotransfer.config import Study
from genotransfer.formats.files import replace_together


def compile_pipeline(study: Study, out: str | Path) -> None:
    """Write the pipeline as KFP's IR YAML; run as it is, it runs this study.

    Parameters
    ----------
    study : becomes the default of the pipeline's parameters.
    out : where the YAML is written.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kfp import compiler

        from pipelines.transfer_study import transfer_study

        with replace_together(out) as [path]:
            compiler.Compiler().compile(
                transfer_study,
                str(path.with_suffix(".yaml")),
                pipeline_parameters={
                    "study": study.to_json(),
                    "phenotypes": study.phenotype_names,
                    "families": study.families,
                },
            )
            path.with_suffix(".yaml").replace(path)
