"""A finished run's folder: its study, and what its tasks made, by task, output and metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genotransfer.config import Study
from genotransfer.errors import InputError
from genotransfer.study_files import load_study

# In the folder of a run of another pipeline than a transfer study's: the name of its kind.
KIND_MARK = "pipeline"
FITTING_TASKS = ("train_baselines", "train_scores", "transfer_models")


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run that `pipelines.local.run_study` made; it may have been moved since."""

    path: Path

    @property
    def kind(self) -> str | None:
        """The kind of study, of `pipelines.kinds.KINDS`; None for a transfer study."""
        mark = self.path / KIND_MARK
        return mark.read_text().strip() if mark.exists() else None

    @property
    def study(self) -> Study:
        """The transfer study, every setting written out.

        Raises
        ------
        InputError
            The folder is no run's, or that of another kind of study.
        """
        if self.kind is not None:
            raise InputError(
                f"this is the folder of a run of the pipeline {self.kind!r}",
                file=self.path,
                remedy="Name the run of a transfer study",
            )
        if not (self.path / "artifacts").is_dir():
            raise InputError(
                "this is no folder of a run",
                file=self.path,
                remedy="Name one under runs/, such as runs/latest, with its artifacts",
            )
        return load_study(self.path / "study.yaml")

    def list(self, task: str, output: str) -> list[tuple[Path, dict[str, Any]]]:
        """Return path and metadata of an output of all tasks of a name that have ended.

        Of a task that ended in two tries of the same run, what it made in the later one.
        """
        found = {}
        for written in sorted(self.path.glob("artifacts/**/executor_output.json")):
            if written.parent.name == task.replace("_", "-"):
                [one] = json.loads(written.read_text())["artifacts"][output]["artifacts"]
                place = written.relative_to(self.path / "artifacts").parts[1:]
                found[place] = (written.parent / output, one["metadata"])
        return list(found.values())

    def find(self, task: str, output: str, **metadata: object) -> Path:
        """Return the path of the one output of a task with this metadata.

        Raises
        ------
        InputError
            No such task has ended.
        """
        found = [path for path, facts in self.list(task, output) if metadata.items() <= facts.items()]
        if len(found) != 1:
            name = task.replace("_", " ") + "".join(f" of {value}" for value in metadata.values())
            raise InputError(
                f"the run has {len(found)} finished tasks {name!r} where one is due",
                file=self.path,
                remedy="Name a run that ended, see its log.txt",
            )
        return found[0]

    @property
    def models(self) -> dict[str, str]:
        """Folders of saved models, by part."""
        return {
            str(facts["part"]): str(path)
            for task in FITTING_TASKS
            for path, facts in self.list(task, "models")
        }
