"""Training: every configuration of one form, on every fold of every protocol.

Test people are scored with no label at hand, unless the protocol is of the kind that watches them; how
right the scores are is for `genotransfer.exome_cnn.evaluation` to say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int8

from genotransfer.evaluation import evaluate_predictions
from genotransfer.events import Progress
from genotransfer.exome_cnn.choice import LEADERBOARD, choose_configurations
from genotransfer.exome_cnn.configurations import KEYS, Configuration, list_configurations
from genotransfer.exome_cnn.folds import Fold, read_folds
from genotransfer.exome_cnn.inputs import find_weights, fit_scale, read_people
from genotransfer.exome_cnn.protocols import HONEST, TEST
from genotransfer.exome_cnn.settings import ExomeCnnStudy
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import Genotypes
from genotransfer.models.predictors import VARIANT_COLUMNS, NetworkPredictor
from genotransfer.models.standardise import Standardiser
from genotransfer.models.store import save_predictor
from genotransfer.randomness import derive_seed
from genotransfer.splits import LabelledSamples
from genotransfer.training.api import get_trainer
from genotransfer.training.jobs import CURVE_COLUMNS, TrainedNetwork, Trainer, TrainingJob, TrainingSettings

if TYPE_CHECKING:
    import keras

SCORES, CURVES = "scores.parquet", "curves.parquet"
# Bytes that what one layer puts out for the people scored at once may take.
MOST_BYTES = 1 << 27
SHOWN = ("accuracy", "auc", "balanced_accuracy", "sensitivity", "specificity")


@dataclass(frozen=True, eq=False)
class _Lesson:
    """One fold's people, as they are handed to the trainer."""

    fold: Fold
    train: LabelledSamples
    watching: LabelledSamples
    tested: LabelledSamples
    scale: Standardiser


def train_form(
    study: ExomeCnnStudy,
    form: str,
    genotypes: Genotypes,
    annotation_file: str | Path,
    folds_folder: str | Path,
    out: str | Path,
    scores_folder: str | Path,
    models_folder: str | Path,
    progress: Progress | None = None,
) -> int:
    """Train every configuration of a form on every fold, and write how well each did.

    Parameters
    ----------
    study : the study.
    form : one of its forms.
    genotypes : of all people.
    annotation_file : genes of all variants; read where the study names weights of genes.
    folds_folder : from `split_exome`.
    out : folder that gets ``leaderboard.parquet``, a row a configuration and fold (see
        `describe_network`), and ``curves.parquet``: protocol, fold, configuration and `CURVE_COLUMNS`, where
        ``val_`` is of the people who watch.
    scores_folder : gets ``scores.parquet``: protocol, fold, configuration, iid, score (P(case), 0 to 1) of
        the test people.
    models_folder : gets a folder for each fold of the honest protocol, by the fold's name: the form's best
        network there by `choose_configurations`, as `save_predictor` writes it.
    progress : told of each network.

    Returns
    -------
    Number of networks trained.
    """
    configurations = list_configurations(study.sweep, form)
    folds = list(read_folds(folds_folder, study.protocols))
    trainer = get_trainer(study.training.trainer, widths=sorted({len(one.variants) for one in folds}))
    total = len(folds) * len(configurations)
    rows: list[dict[str, object]] = []
    scores, curves = [], []
    with replace_together(out, scores_folder, models_folder) as (made, scored_out, kept):
        for folder in (made, scored_out, kept):
            folder.mkdir()
        for fold in folds:
            lesson = _prepare(study, configurations[0].network, genotypes, annotation_file, fold)
            people = fold.take_people(TEST)["iid"]
            first = len(rows)
            for configuration, trained, seconds in _train_fold(study, trainer, configurations, lesson):
                key = dict(zip(KEYS, (fold.protocol.name, fold.name, configuration.name), strict=True))
                rows.append(key | describe_network(configuration, trained, lesson) | {"seconds": seconds})
                scored = score_people(trained, lesson.scale, lesson.tested.dosages, configuration.filters)
                scores.append(pd.DataFrame({**key, "iid": people.to_numpy(), "score": scored}))
                curves.append(trained.curve[CURVE_COLUMNS].assign(**key))
                if fold.protocol.name == HONEST:
                    best = choose_configurations(pd.DataFrame(rows[first:]))["configuration"].item()
                    if best == configuration.name:
                        _keep(kept / fold.name, genotypes, fold, lesson.scale, trained)
                if progress is not None:
                    progress(
                        len(rows), total, f"{fold.protocol.name}, fold {fold.name}: {configuration.name}"
                    )
        pd.DataFrame(rows).to_parquet(made / LEADERBOARD, index=False)
        learning = pd.concat(curves, ignore_index=True)[[*KEYS, *CURVE_COLUMNS]]
        learning.to_parquet(made / CURVES, index=False)
        pd.concat(scores, ignore_index=True).to_parquet(scored_out / SCORES, index=False)
    return total


def _keep(
    folder: Path, genotypes: Genotypes, fold: Fold, scale: Standardiser, trained: TrainedNetwork
) -> None:
    """Save a network with the variants it reads; it takes the place of the one saved before."""
    at = genotypes.locate_variants(fold.variants["id"])
    variants = genotypes.variants.iloc[at][VARIANT_COLUMNS].reset_index(drop=True)
    save_predictor(folder, NetworkPredictor(variants, scale, trained.network, trained.window, trained.model))


def describe_network(
    configuration: Configuration, trained: TrainedNetwork, lesson: _Lesson
) -> dict[str, object]:
    """Return a row of the leaderboard, without its key and seconds.

    form, filters, batch_size, layers, network, n_variants, n_parameters; train_accuracy and train_loss of
    the epoch kept, measured while training, with dropout, as Keras prints them; validation_accuracy and
    its kin, and validation_loss, of the people who watch; best_accuracy, the highest of any epoch on them;
    best_epoch, the epoch kept, and stopped_epoch, the last.
    """
    kept = trained.curve.iloc[trained.best_epoch - 1]
    watching = score_people(trained, lesson.scale, lesson.watching.dosages, configuration.filters)
    metrics = evaluate_predictions(lesson.watching.labels, watching)
    return {
        "form": configuration.form,
        "filters": configuration.filters,
        "batch_size": configuration.batch_size,
        "layers": configuration.written_layers,
        "network": configuration.network,
        "n_variants": trained.n_variants,
        "n_parameters": sum(array.size for array in trained.weights),
        "train_accuracy": float(kept["accuracy"]),
        "train_loss": float(kept["loss"]),
        **{f"validation_{name}": metrics[name] for name in SHOWN},
        "validation_loss": trained.best_loss,
        "best_accuracy": float(trained.curve["val_accuracy"].max()),
        "best_epoch": trained.best_epoch,
        "stopped_epoch": trained.stopped_epoch,
    }


def score_people(
    trained: TrainedNetwork, scale: Standardiser, dosages: Int8[np.ndarray, "n k"], filters: int
) -> Float64[np.ndarray, " n"]:
    """Return P(case) of each person, so many at a time that no layer's output takes more than 128 MiB."""
    from genotransfer.training.forward import score_logits

    model: keras.Model = trained.model
    to_logits = _cut_at_logits(model)
    size = max(1, MOST_BYTES // (4 * dosages.shape[1] * max(filters, 1)))
    scores = np.empty(len(dosages), dtype=np.float64)
    for start in range(0, len(dosages), size):
        values = scale.transform(dosages[start : start + size])
        logits = np.asarray(to_logits(values, training=False), dtype=np.float32)
        scores[start : start + size] = score_logits(logits)
    return scores


def _cut_at_logits(model: keras.Model) -> keras.Model:
    import keras

    return keras.Model(model.input, model.get_layer("logits").output)


def _prepare(
    study: ExomeCnnStudy, network: str, genotypes: Genotypes, annotation_file: str | Path, fold: Fold
) -> _Lesson:
    """Read a fold's people, on the scale of a form's networks, which all read alike."""
    protocol = fold.protocol
    train = read_people(genotypes, fold, *protocol.find_training())
    tested = read_people(genotypes, fold, TEST)
    watching = tested if protocol.watches_test else read_people(genotypes, fold, protocol.find_watching())
    weights = find_weights(study.gene_weights, annotation_file, fold.variants)
    return _Lesson(fold, train, watching, tested, fit_scale(network, train.dosages, weights))


def _train_fold(
    study: ExomeCnnStudy, trainer: Trainer, configurations: list[Configuration], lesson: _Lesson
) -> Iterator[tuple[Configuration, TrainedNetwork, float]]:
    """Yield each configuration with its network and the seconds it took.

    They are handed over one at a time: a trainer draws the first weights of all it is given, 1.2 GB for a
    1D network of the paper's size, and convolutions do not gain from lying side by side.
    """
    for one in configurations:
        began = time.perf_counter()
        jobs = [_make_job(study, one, lesson)]
        for trained in trainer.train_networks(jobs, _settings(study, one.batch_size)):
            yield one, trained, time.perf_counter() - began


def _make_job(study: ExomeCnnStudy, one: Configuration, lesson: _Lesson) -> TrainingJob:
    return TrainingJob(
        key=one.name,
        network=one.network,
        train=lesson.train,
        validation=lesson.watching,
        standardiser=lesson.scale,
        # The same seed in every protocol: first weights are the same where as many variants were kept, and
        # batches where as many people train, which is not so in the published one.
        seed=derive_seed(study.seed, "exome", "network", lesson.fold.name, one.name),
    )


def _settings(study: ExomeCnnStudy, batch_size: int) -> TrainingSettings:
    own = study.training
    return TrainingSettings(
        epochs=own.epochs,
        batch_size=batch_size,
        learning_rate=own.learning_rate,
        schedule=own.schedule,
        decay=own.decay,
        plateau_factor=own.plateau_factor,
        plateau_patience=own.plateau_patience,
        patience=own.patience,
        threads=own.threads,
        memory_gib=own.memory_gib,
        precision=own.precision,
    )
