"""Compiling a study's pipeline for a cluster: KFP's YAML, or Kubernetes manifests."""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from pathlib import Path
from typing import Any

from genotransfer import __version__
from genotransfer.cluster_settings import holds_secret
from genotransfer.errors import StudyError
from genotransfer.formats.files import replace_together
from pipelines.kinds import KINDS, AnyStudy


def compile_pipeline(study: AnyStudy, out: str | Path, kind: str = "study") -> str:
    """Write the pipeline as KFP's IR YAML; run as it is, it runs this study.

    Parameters
    ----------
    study : becomes the default of the pipeline's parameters; its section `cluster` says how tasks
        are placed.
    out : where the YAML is written. A second document in it, where there is one, is what KFP
        calls the platform's configuration.
    kind : of `pipelines.kinds.KINDS`.

    Returns
    -------
    The name of the pipeline's version: library, study, and a hash of what is compiled. The same study
    compiled with the same library and images has the same name.

    Raises
    ------
    StudyError
        The study holds a password, which would be written with it.
    """
    with replace_together(out) as [path]:
        _compile(study, path, kind)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
    return f"{__version__}-{study.name}-{digest}".lower()


def write_manifests(study: AnyStudy, folder: str | Path, kind: str = "study") -> Path:
    """Write the pipeline and its version as Kubernetes manifests, for ``kubectl apply`` or GitOps.

    Parameters
    ----------
    study, kind : as for `compile_pipeline`.
    folder : where a Pipeline and a PipelineVersion are written, in one file of the kind's name.

    Returns
    -------
    The file.
    """
    from kfp.compiler.compiler_utils import KubernetesManifestOptions

    module = KINDS[kind].open_module()
    name, title = module.NAME, module.TITLE
    with tempfile.TemporaryDirectory() as aside:
        version = compile_pipeline(study, Path(aside) / "pipeline.yaml", kind)
    out = Path(folder) / KINDS[kind].file_name
    with replace_together(out) as [path]:
        _compile(
            study,
            path,
            kind,
            kubernetes_manifest_format=True,
            kubernetes_manifest_options=KubernetesManifestOptions(
                pipeline_name=name,
                pipeline_display_name=title,
                pipeline_version_name=f"{name}-{version}",
                pipeline_version_display_name=version,
                namespace=study.cluster.namespace or None,
                include_pipeline_manifest=True,
            ),
        )
    return out


def _compile(study: AnyStudy, path: Path, kind: str, **options: Any) -> None:
    if holds_secret(study.tracking.uri):
        raise StudyError(
            "tracking.uri holds a user or password, and would be shown with the pipeline. Leave it out and "
            "name a Kubernetes secret as cluster.mlflow_secret."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kfp import compiler

        from pipelines.placement import place_pipeline

        written = path.with_name(f"{path.name}.yaml")  # the compiler goes by the ending
        compiler.Compiler().compile(
            place_pipeline(study.cluster, kind),
            str(written),
            pipeline_parameters={
                "study": study.to_json(with_cluster=False),
                **KINDS[kind].find_loops(study, here=False),
            },
            **options,
        )
        written.replace(path)
