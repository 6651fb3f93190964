"""Data of the benchmarks: the `paper` study's genotypes, phenotypes and panels, made as a user makes them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from genotransfer import __version__
from genotransfer.baselines import PanelData
from genotransfer.config import Study
from genotransfer.errors import GenotransferError
from genotransfer.panels import read_panels
from genotransfer.stages.models import load_panels
from genotransfer.study_files import parse_study
from pipelines.cli import find_study

RUNS = Path("runs/benchmarks")
WITHOUT_NETWORKS = ["transfer.methods=[none]", "models.classical=[cart]", "outputs.figures=false"]
# A study of seconds, to check that everything runs. Its figures mean nothing.
QUICK = [
    "genotypes.max_variants=3000",
    "phenotypes.risk_snps=[5]",
    "phenotypes.iterations=1",
    "panels.source=[0.01, 0.1, 0.5]",
    "panels.target=[0.1]",
    "models.classical=[cart]",
    "models.networks=[ann_1, gru_1, lstm_1, bilstm_1]",
    "training.epochs=3",
]


@dataclass(frozen=True)
class StudyData:
    """A study, and the folder of a run that made its genotypes, phenotypes and panels.

    Attributes
    ----------
    study : with its networks, as `genotransfer run` takes it.
    run : folder of a finished run of the same study, its networks left out or not.
    """

    study: Study
    run: Path

    @property
    def cohorts(self) -> Path:
        """Labels and panels of all phenotypes, a folder for each."""
        return self._find("gather-cohorts/cohorts")

    @property
    def genotypes(self) -> dict[str, str]:
        """Folders of the source's and the target's filesets."""
        roles = ("source", "target")
        return {role: str(self._find(f"prepare-genotypes/{role}_genotypes")) for role in roles}

    def measure_panels(self, phenotype: str, below: int | None = None) -> dict[str, int]:
        """Return the number of SNPs of each panel of the source, those narrower than `below` if given."""
        panels = read_panels(self.cohorts / phenotype / "panels.parquet")
        sizes = panels[panels["population"] == "source"].groupby("panel").size()
        return {str(name): int(size) for name, size in sizes.items() if below is None or size < below}

    def load_panels(self, phenotype: str, below: int | None = None) -> list[PanelData]:
        """Read a phenotype's panels of the source, those narrower than `below` where it is given."""
        place = self.cohorts / phenotype
        panels = load_panels(place, place, self.genotypes, "source")
        return [panel for panel in panels if below is None or len(panel.variants) < below]

    def _find(self, artifact: str) -> Path:
        found = list(self.run.glob(f"artifacts/*/{artifact}"))
        if len(found) != 1:
            raise GenotransferError(
                f"{self.run} is no finished run: it has {len(found)} artifacts {artifact}. "
                "Give the folder of a run, or leave --data out."
            )
        return found[0].resolve()


def prepare_data(quick: bool, run: Path | None = None, trainer: str | None = None) -> StudyData:
    """Return the `paper` study and its data, which are made once for each version and kept.

    Parameters
    ----------
    quick : a small study instead, to check that the benchmarks run.
    run : a finished run of the same study, whose data are used as they are.
    trainer : replaces the study's own.
    """
    overrides = QUICK if quick else []
    study = find_study("paper", [*overrides, *([f"training.trainer={trainer}"] if trainer else [])])
    return StudyData(study, run or _make_run(find_study("paper", overrides + WITHOUT_NETWORKS)))


def read_data(described: dict[str, str]) -> StudyData:
    """Return what `describe_data` described."""
    return StudyData(parse_study(described["study"]), Path(described["run"]))


def describe_data(data: StudyData) -> dict[str, str]:
    """Describe data for another process."""
    return {"study": data.study.to_json(), "run": str(data.run.resolve())}


def _make_run(study: Study) -> Path:
    from pipelines.local import run_study

    key = hashlib.sha256(f"{__version__}\n{study.to_json()}".encode()).hexdigest()[:12]
    runs = RUNS / f"data-{key}"
    # Only a run that finished is pointed to.
    if not (runs / "latest").exists():
        runs.mkdir(parents=True, exist_ok=True)
        run_study(study, runs)
    return (runs / "latest").resolve()
