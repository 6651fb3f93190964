"""A study of an exome that is trained in seconds, and its stages run one after another."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from genotransfer.exome_cnn.choice import choose_networks
from genotransfer.exome_cnn.evaluation import evaluate_networks
from genotransfer.exome_cnn.folds import split_exome
from genotransfer.exome_cnn.preparing import (
    find_annotation,
    open_exome,
    prepare_exome,
    read_labels,
    read_truth,
)
from genotransfer.exome_cnn.settings import ExomeCnnStudy
from genotransfer.exome_cnn.training import train_form

TINY = {
    "name": "tiny",
    "seed": 1,
    "exome": {
        "n_samples": 300,
        "n_cases": 130,
        "n_variants": 3000,
        "n_genes": 900,
        "n_causal": 30,
        "heritability": 0.0,
    },
    "people": {"folds": 2},
    "sweep": {"forms": ["dense"], "batch_sizes": [64, 32]},
    "training": {"epochs": 8},
    "protocols": ["honest", "preselected", "published"],
}


def make_study(**changes):
    """Return the tiny study with some of its sections replaced."""
    return ExomeCnnStudy.model_validate(TINY | changes)


@dataclass(frozen=True)
class Laid:
    """A study and the folders of its stages."""

    study: ExomeCnnStudy
    folder: Path

    def prepare(self):
        prepare_exome(self.study, self.folder / "genotypes", self.folder / "phenotypes")
        return self

    def split(self):
        return split_exome(
            self.study,
            open_exome(self.folder / "genotypes"),
            read_labels(self.folder / "phenotypes"),
            self.folder / "folds",
            self.folder / "tests",
        )

    def train(self, form="dense", out="networks", scores="scores", models="models"):
        genotypes = self.folder / "genotypes"
        return train_form(
            self.study,
            form,
            open_exome(genotypes),
            find_annotation(genotypes),
            self.folder / "folds",
            self.folder / out,
            self.folder / scores,
            self.folder / models,
        )

    def finish(self):
        choose_networks([self.folder / "networks"], self.folder / "selection")
        return evaluate_networks(
            self.folder / "selection",
            [self.folder / "scores"],
            self.folder / "tests",
            read_truth(self.folder / "genotypes"),
            self.study.seed,
            self.folder / "results",
        )

    def read(self, name):
        return pd.read_parquet(self.folder / name)
