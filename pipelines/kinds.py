"""The kinds of study there are: the pipeline of each, how its file is read, and what its loops go over.

A study file says its kind as ``pipeline: <kind>``; one that says nothing is a transfer study. Running,
compiling and submitting take any kind in the same way.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import yaml

from genotransfer.comparison.settings import NETWORK_KINDS, ComparisonStudy
from genotransfer.config import Study, Tracking
from genotransfer.errors import InputError
from genotransfer.exome_cnn.settings import KIND, ExomeCnnStudy
from genotransfer.formats.files import decode_text
from genotransfer.plain_yaml import read_yaml
from genotransfer.settings import Settings
from genotransfer.storage import is_remote, read_bytes
from genotransfer.study_files import load_settings

STUDIES = Path(__file__).parent / "studies"


class AnyStudy(Protocol):
    """What running and compiling ask of a study, whatever its kind.

    A kind other than a transfer study also has ``list_inputs() -> list[str]``: every text in it that may
    be the path of something its tasks read; containers get these files and no others.
    """

    name: str
    tracking: Tracking
    cluster: Any

    def to_json(self, *, with_cluster: bool = True) -> str:
        """Return the study as JSON, every setting written out."""
        ...


@dataclass(frozen=True)
class PipelineKind:
    """One kind of study and its pipeline.

    Attributes
    ----------
    name : of the pipeline in Kubeflow.
    module : of the pipeline, with NAME, TITLE and DESCRIPTION. It imports KFP, so it is opened late.
    pipeline : name in the module of the KFP pipeline that runs on this machine.
    compose : name in the module of the function that a cluster's pipeline is made of.
    settings : what the study file holds.
    loops : from a study, and whether it runs on this machine, to the pipeline's parameters beside
        ``study``: what its loops go over.
    folder : of the studies that are shipped.
    """

    name: str
    module: str
    pipeline: str
    compose: str
    settings: type[Settings]
    loops: Callable[[Any, bool], dict[str, Any]]
    folder: Path = STUDIES

    @property
    def file_name(self) -> str:
        """Name of a file of Kubernetes manifests."""
        return "transfer_study.yaml" if self.settings is Study else f"{self.name.replace('-', '_')}.yaml"

    def load(self, path: str | Path, overrides: list[str] | None = None) -> AnyStudy:
        """Read a study file of this kind; raises as `load_settings`."""
        return cast(AnyStudy, load_settings(path, self.settings, overrides))

    def open_module(self) -> Any:
        """Import the pipeline's module."""
        return importlib.import_module(self.module)

    def open(self) -> Any:
        """Return the KFP pipeline that runs on this machine."""
        return getattr(self.open_module(), self.pipeline)

    def find_loops(self, study: AnyStudy, *, here: bool) -> dict[str, Any]:
        """Return the pipeline's parameters beside ``study``.

        Parameters
        ----------
        here : on this machine, where two turns of a loop run at a time: those that take longest come
            first, not to be left for last.
        """
        return self.loops(study, here)


def order_families(study: Study) -> list[str]:
    """Return a transfer study's families of networks, those that take longest first.

    The paper lists its networks from the shortest to the longest.
    """
    return study.families[::-1]


def _find_transfer_loops(study: Study, here: bool) -> dict[str, Any]:
    families = order_families(study) if here else study.families
    return {"phenotypes": study.phenotype_names, "families": families}


def _find_comparison_loops(study: ComparisonStudy, here: bool) -> dict[str, Any]:
    # Networks take longest.
    slow = sorted(study.models, key=lambda model: model.kind not in NETWORK_KINDS)
    return {"models": [model.name for model in slow] if here else study.model_names}


def _find_forms(study: ExomeCnnStudy, here: bool) -> dict[str, Any]:
    # From one to three dimensions networks take longer.
    return {"forms": study.loops[::-1] if here else study.loops}


KINDS: dict[str, PipelineKind] = {
    "study": PipelineKind(
        name="transfer-study",
        module="pipelines.transfer_study",
        pipeline="transfer_study",
        compose="compose_study",
        settings=Study,
        loops=_find_transfer_loops,
    ),
    "retraining": PipelineKind(
        name="retraining",
        module="pipelines.retraining",
        pipeline="retraining",
        compose="compose_retraining",
        settings=Study,
        loops=_find_transfer_loops,
    ),
    KIND: PipelineKind(
        name="exome-cnn",
        module="pipelines.exome_cnn",
        pipeline="exome_cnn",
        compose="compose_exome_cnn",
        settings=ExomeCnnStudy,
        loops=_find_forms,
        folder=STUDIES / KIND,
    ),
    "comparison": PipelineKind(
        name="model-comparison",
        module="pipelines.model_comparison",
        pipeline="model_comparison",
        compose="compose_comparison",
        settings=ComparisonStudy,
        loops=_find_comparison_loops,
        folder=STUDIES / "comparison",
    ),
}


def find_any_study(name: str, overrides: list[str] | None = None) -> tuple[str, AnyStudy]:
    """Load a study of any kind by path, or by the name of a shipped one; returns its kind and the study.

    Raises
    ------
    InputError
        There is no such study, its kind is none of `KINDS`, or it cannot be read as one of its kind.
    """
    path: str | Path = name if is_remote(name) else _find_file(name)
    kind = _read_kind(path)
    return kind, KINDS[kind].load(path, overrides)


def list_shipped(kind: str | None = None) -> list[str]:
    """Return the names of the studies that are shipped, of one kind or of all."""
    folders = dict.fromkeys(one.folder for one in ([KINDS[kind]] if kind else KINDS.values()))
    return [name for folder in folders for name in sorted(path.stem for path in folder.glob("*.yaml"))]


def _find_file(name: str) -> Path:
    places = [Path(name), *(one.folder / f"{name}.yaml" for one in KINDS.values())]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        known = ", ".join(list_shipped())
        raise InputError("there is no such study", file=name, remedy=f"Give a file or one of: {known}")
    return found


def _read_kind(path: str | Path) -> str:
    try:
        raw = read_yaml(decode_text(read_bytes(path)[0], path, 1))[0]
    except yaml.YAMLError:
        return "study"  # told with its row when it is read as one
    kind = raw.get("pipeline", "study") if isinstance(raw, dict) else "study"
    # Retraining is a way to run a study, no kind of one.
    if not isinstance(kind, str) or kind not in KINDS or kind == "retraining":
        known = ", ".join(one for one in KINDS if one not in ("study", "retraining"))
        raise InputError(
            f"there is no pipeline {kind!r}",
            file=path,
            remedy=f"Choose from {known}, or leave the key out for a transfer study"
            if known
            else "Leave it out",
        )
    return kind
