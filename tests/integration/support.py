"""What the tests of the whole share: a tiny study, its artifacts by name, cohorts, the command line."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bed_reader import open_bed

from genotransfer.config import Study
from genotransfer.genotypes import Genotypes
from genotransfer.study_files import parse_study
from tests.genotype_support import make_samples, make_variants

CLI = (sys.executable, "-m", "pipelines.cli")
METHODS = [
    "none",
    "snp_transfer",
    "deep_simple",
    "deep_pretrained",
    "deep_finetuned",
    "score_transfer",
    "chosen",
]
TINY = """
name: tiny
seed: 11
genotypes: {max_variants: 1500}
phenotypes: {preset: additive, heritability: 0.8, risk_snps: [3], iterations: 2}
splits: {source: {TD: 120, VD: 30, ED: 50}, target: {TD: 40, VD: 10, ED: 20}, final: 40}
panels: {source: [1.0e-3, 2.0e-2], target: [1.0e-2, 5.0e-2]}
models: {classical: [svm, cart], networks: [ann_1, gru_1], scores: [susie, susie_joint]}
training: {epochs: 3}
"""


def read_tiny(**groups: object) -> Study:
    """Return the tiny study with some of its groups of settings replaced."""
    return parse_study(json.dumps(json.loads(parse_study(TINY).to_json()) | groups))


FITTING_TASKS = ("train_baselines", "train_scores", "transfer_models")


@dataclass(frozen=True)
class Run:
    """A folder of a run, and its artifacts by task, output and metadata."""

    folder: Path

    def list(self, task: str, output: str, **metadata: object) -> list[tuple[Path, dict[str, object]]]:
        """Return path and metadata of all artifacts that tasks of this name put out."""
        found = []
        for written in self.folder.glob("artifacts/**/executor_output.json"):
            if written.parent.name == task.replace("_", "-"):
                [one] = json.loads(written.read_text())["artifacts"][output]["artifacts"]
                if metadata.items() <= one["metadata"].items():
                    found.append((Path(one["uri"]), one["metadata"]))
        return found

    def find(self, task: str, output: str, **metadata: object) -> Path:
        """Return the path of the one artifact of a task."""
        [(path, _)] = self.list(task, output, **metadata)
        return path

    def by(self, task: str, output: str, field: str) -> dict[str, str]:
        """Return paths of the artifacts of a looped task, by a field of their metadata."""
        return {str(metadata[field]): str(path) for path, metadata in self.list(task, output)}

    @property
    def models(self) -> dict[str, str]:
        """Folders of saved models, by part."""
        return {key: path for task in FITTING_TASKS for key, path in self.by(task, "models", "part").items()}

    @property
    def leaderboards(self) -> dict[str, str]:
        """Leaderboards of the tasks that fit, by part."""
        return {
            key: path for task in FITTING_TASKS for key, path in self.by(task, "leaderboard", "part").items()
        }

    @property
    def results(self) -> pd.DataFrame:
        """results.csv, accuracies as numbers."""
        return pd.read_csv(self.folder / "results.csv")


def share(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that is made once for all of pytest-xdist's workers."""
    root = factory.getbasetemp()
    root = root.parent if os.environ.get("PYTEST_XDIST_WORKER") else root
    folder, done = root / name, root / f"{name}.done"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def inherit() -> dict[str, str]:
    """Return the environment without the caller's MLflow."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}


def run_cli(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own, in a folder, without the caller's MLflow."""
    return subprocess.run(
        [*CLI, *map(str, arguments)],
        cwd=cwd,
        env=inherit() | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def start_cli(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start the command line as `run_cli` does, in a process group of its own; it speaks to ``said.txt``."""
    with (cwd / "said.txt").open("a") as said:
        return subprocess.Popen(
            [*CLI, *map(str, arguments)],
            cwd=cwd,
            env=inherit() | environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def tell_where(run: Path) -> str:
    """Return how the message of a run that failed ends."""
    return f"The whole log: {run / 'log.txt'}\nGo on from there with: genotransfer resume {run}"


def make_cohort(folder: Path, name: str, n_samples: int, *, n_variants: int = 60, seed: int = 0) -> Genotypes:
    """Write a cohort: ``name.bed`` (.bim, .fam) and ``name.tsv`` with columns height and sick.

    Height follows the first three variants; sick is 1 for the tall half and 0 for the others.
    """
    generator = np.random.default_rng([seed, n_samples])
    frequencies = np.random.default_rng(5).uniform(0.2, 0.6, n_variants)
    dosages = generator.binomial(2, frequencies, (n_samples, n_variants)).astype(np.int8)
    variants = make_variants(n_variants).assign(chromosome="21", position=1000 * np.arange(1, n_variants + 1))
    samples = make_samples(n_samples)
    ids = [f"{name}{at}" for at in range(n_samples)]
    samples = samples.assign(fid=ids, iid=ids, phenotype="-9")
    height = 160 + 5 * dosages[:, :3].sum(axis=1) + generator.normal(0, 2, n_samples)
    sick = (height > np.median(height)).astype(int)
    table = pd.DataFrame({"FID": ids, "IID": ids, "height": height.round(3), "sick": sick})
    table.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    return Genotypes.from_dosages(folder / name, dosages, variants, samples)


COHORTS = """name: cohorts
source: SRC
target: TGT
genotypes:
  kind: files
  source: {genotypes: src, phenotypes: src.tsv}
  target: {genotypes: tgt, phenotypes: tgt.tsv}
  build: GRCh38
phenotypes:
  kind: files
  columns: [{name: height, column: height, threshold: mean}]
splits:
  source: {TD: 60, VD: 10, ED: 10}
  target: {TD: 30, VD: 6, ED: 10}
  final: null
panels: {source: [0.05], target: [0.05]}
models: {classical: [svm]}
transfer: {methods: [none, snp_transfer]}
outputs: {figures: false}
"""


def make_cohorts(folder: Path, *, n_source: int = 90, n_target: int = 70) -> Path:
    """Write a source, a target and a study of them; return the study's path."""
    make_cohort(folder, "src", n_source)
    make_cohort(folder, "tgt", n_target)
    (folder / "study.yaml").write_text(COHORTS)
    return folder / "study.yaml"


def read_bed(prefix, ids):
    """Return copies of A1 of some variants as a second reader has them, and each one's A1 and A2."""
    with open_bed(f"{prefix}.bed", count_A1=True) as bed:
        at = [list(bed.sid).index(one) for one in ids]
        return bed.read(index=np.s_[:, at], dtype="float32"), bed.allele_1[at], bed.allele_2[at]


def score_again(folder, prefix):
    """Return the log odds on FD by a scoring file and the means in its manifest alone."""
    table = pd.read_csv(folder / "score.txt", sep="\t", comment="#")
    header = dict(re.findall(r"^#(\w+)=(.*)$", (folder / "score.txt").read_text(), re.MULTILINE))
    assert int(header["variants_number"]) == len(table)
    means = np.array(json.loads((folder / "predictor.json").read_text())["mean"])
    dosages, first, second = read_bed(prefix, table["rsID"])
    assert (first == table["effect_allele"]).all()
    assert (second == table["other_allele"]).all()
    return (dosages - means) @ table["effect_weight"].to_numpy() + float(header["log_odds_at_mean_dosages"])
