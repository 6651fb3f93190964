"""What the tests of the registry share: fresh stores, bundles of a finished study, and registering them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from genotransfer.config import Study
from genotransfer.final_data import hash_final, read_final
from genotransfer.prediction.bundle import export_bundle, load_bundle
from genotransfer.tracking.decisions import Decision
from genotransfer.tracking.promotion import promote_models
from genotransfer.tracking.registry import Registered, name_model, register_bundle, register_models
from tests.integration.support import Run, read_tiny

PHENOTYPE = "3_2"
ROLES = ("source", "target", "final")


@dataclass(frozen=True)
class Inputs:
    """What a finished run's registration was given."""

    run: Run

    @property
    def results(self) -> Path:
        """Folder of the results on FD."""
        return self.run.find("evaluate_final", "results")

    @property
    def final(self) -> Path:
        """Folder of FD's fileset."""
        return self.run.find("prepare_genotypes", "final_genotypes")

    def row(self, phenotype: str, method: str) -> pd.Series:
        """Return the results of a method."""
        table = pd.read_parquet(self.results / "results.parquet")
        return table[(table["phenotype"] == phenotype) & (table["method"] == method)].iloc[0]

    def people(self, phenotype: str, method: str) -> pd.DataFrame:
        """Return FD's people as a method scored them."""
        table = pd.read_parquet(self.results / "predictions.parquet")
        return table[(table["phenotype"] == phenotype) & (table["method"] == method)]

    def final_sha256(self, phenotype: str) -> str:
        """Return the hash of FD's people and labels."""
        people = read_final(self.results, phenotype)
        return hash_final(list(people["IID"]), people["label"].to_numpy())

    def given(self) -> dict[str, object]:
        """Return what `register_models` takes of a run."""
        return {
            "results_folder": str(self.results),
            "selection_folder": str(self.run.find("select_best_model", "selection")),
            "models": self.run.models,
            "genotypes": {
                role: str(self.run.find("prepare_genotypes", f"{role}_genotypes")) for role in ROLES
            },
            "phenotypes": self.run.by("control_quality", "kept_phenotypes", "phenotype"),
        }

    def export(self, folder: Path, method: str, phenotype: str = PHENOTYPE) -> Path:
        """Write the bundle of a method; return its folder."""
        given = self.given()
        kept = given.pop("phenotypes")[phenotype]
        export_bundle(folder, read_tiny(), phenotype, phenotypes_folder=kept, method=method, **given)
        return folder


@dataclass(frozen=True)
class Store:
    """An MLflow store of a test's own, or a corner of a server.

    Attributes
    ----------
    uri : of the store.
    prefix : of the registered models and name of the experiment, the test's own.
    artifacts : folder of the artifacts on this machine.
    inputs : of the finished run.
    bundles : gives the folder of the bundle of a method, of `PHENOTYPE`.
    folder : the test's.
    """

    uri: str
    prefix: str
    artifacts: Path
    inputs: Inputs
    bundles: Callable[[str], Path]
    folder: Path

    @property
    def client(self):
        """A client of the store."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @property
    def name(self) -> str:
        """The registered model of `PHENOTYPE`."""
        return f"{self.prefix}-YRI-{PHENOTYPE}"

    def study(self, **registry: object) -> Study:
        """Return the tiny study with this store and settings of its registry."""
        return read_tiny(
            tracking={"uri": self.uri, "experiment": self.prefix},
            registry={"prefix": self.prefix, **registry},
        )

    def start_run(self) -> str:
        """Make a run for a model; return its id."""
        experiment = self.client.get_experiment_by_name(self.prefix).experiment_id
        run = self.client.create_run(experiment, run_name="chosen").info.run_id
        self.client.set_terminated(run)
        return str(run)

    def track(self, name: str = "tracked.json") -> Path:
        """Write the ids of new runs of both phenotypes, as the task before registration does."""
        runs = {f"{phenotype}/chosen": self.start_run() for phenotype in ("3_1", "3_2")}
        (self.folder / name).write_text(json.dumps(runs))
        return self.folder / name

    def register_all(self, tracked: Path) -> list[Registered]:
        """Register the chosen models of both phenotypes."""
        return register_models(
            self.study(), tracked=tracked, registered=self.folder / "registered.json", **self.inputs.given()
        )

    def register(self, method: str, run: str = "") -> Registered:
        """Register the bundle of a method as a version of `PHENOTYPE`'s model."""
        return register_bundle(
            self.client,
            name_model(self.study(), PHENOTYPE),
            run or self.start_run(),
            load_bundle(self.bundles(method)),
            self.inputs.row(PHENOTYPE, method),
            self.inputs.final_sha256(PHENOTYPE),
        )

    def write_registered(self, *versions: Registered) -> Path:
        """Write versions as the registration does."""
        path = self.folder / f"registered-{'-'.join(one.version for one in versions)}.json"
        path.write_text(json.dumps([vars(one) for one in versions]))
        return path

    def promote(
        self, version: Registered, results: Path | None = None, final: Path | None = None, **registry: object
    ) -> Decision:
        """Let a version be decided on, on FD unless other people are given."""
        [decision] = promote_models(
            self.study(**registry),
            self.write_registered(version),
            results or self.inputs.results,
            final or self.inputs.final,
            self.folder / "decisions.json",
        )
        return decision

    def find(self, alias: str) -> str:
        """Return the version an alias points to; empty where there is none."""
        return str(self.client.get_registered_model(self.name).aliases.get(alias, ""))
