"""The five classical classifiers of Muneeb 2022: SVM, CART, RUS, random forest and bagging."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Float64, Int8

from genotransfer.errors import StudyError

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

CLASSICAL: tuple[str, ...] = ("svm", "cart", "rus", "forest", "bagging")

# The libraries' own defaults, stated so that a new release cannot change a study.
FOREST_TREES = 100
BAGGED_TREES = 10
UNDERSAMPLED_TREES = 10


def build_classifier(name: str, seed: int) -> ClassifierMixin:
    """Return an unfitted scikit-learn classifier.

    Parameters
    ----------
    name : one of `CLASSICAL`.
    seed : of what is random in it.

    Notes
    -----
    ``rus``, the paper's "random under sampler", names no classifier. It is read as imbalanced-learn's
    ensemble of decision trees, each on a random under-sample: as many cases as controls, both drawn
    with replacement, as many as the rarer has (the balanced bootstrap of Chen, Liaw and Breiman
    2004, Using random forest to learn imbalanced data). RUSBoost, the other ensemble of that name,
    cannot be fitted when its first stump is no better than chance, which happens on 70 samples.

    Raises
    ------
    StudyError
        There is no such classifier.
    """
    if name == "svm":
        from sklearn.svm import SVC

        return SVC(kernel="rbf")
    if name == "cart":
        from sklearn.tree import DecisionTreeClassifier

        return DecisionTreeClassifier(random_state=seed)
    if name == "rus":
        from imblearn.ensemble import BalancedBaggingClassifier

        # The sampler draws both classes: an ordinary bootstrap first can leave one class out.
        return BalancedBaggingClassifier(
            n_estimators=UNDERSAMPLED_TREES,
            bootstrap=False,
            sampling_strategy="all",
            replacement=True,
            n_jobs=1,
            random_state=seed,
        )
    if name == "forest":
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(n_estimators=FOREST_TREES, n_jobs=1, random_state=seed)
    if name == "bagging":
        from sklearn.ensemble import BaggingClassifier

        return BaggingClassifier(n_estimators=BAGGED_TREES, n_jobs=1, random_state=seed)
    raise StudyError(f"There is no classifier {name!r}. Choose from: {', '.join(CLASSICAL)}.")


def fit_classifier(
    name: str,
    values: Float32[np.ndarray, "n_samples n_features"],
    labels: Int8[np.ndarray, " n_samples"],
    seed: int,
) -> ClassifierMixin:
    """Return a fitted classifier.

    Parameters
    ----------
    name : one of `CLASSICAL`.
    values : standardised dosages, or a network's last hidden layer.
    labels : 1 case, 0 control.

    Raises
    ------
    StudyError
        The labels are all cases or all controls.
    """
    present = np.unique(labels)
    if present.tolist() != [0, 1]:
        only = {0: "controls", 1: "cases"}.get(int(present[0]), "others") if len(present) == 1 else "none"
        raise StudyError(
            f"Classifier {name} needs cases and controls to train on; the {len(labels)} training samples "
            f"are all {only}. Change the split's sizes, the phenotype or the seed."
        )
    estimator: Any = build_classifier(name, seed)
    with _remember_signatures(name):
        return estimator.fit(values, labels)


@contextmanager
def _remember_signatures(name: str) -> Iterator[None]:
    """Let an ensemble's parts say how they are constructed without being looked into each time.

    scikit-learn copies a tree by the parameters of its constructor, and has Python find them five
    times a tree: on 70 samples an eighth of the time. Python looks at ``__signature__`` first.
    """
    parts: list[Any] = []
    if name in ("rus", "forest", "bagging"):
        from sklearn.tree import DecisionTreeClassifier

        parts.append(DecisionTreeClassifier.__init__)
    if name == "rus":
        from imblearn.pipeline import Pipeline
        from imblearn.under_sampling import RandomUnderSampler

        parts += [Pipeline.__init__, RandomUnderSampler.__init__]
    try:
        for constructor in parts:
            constructor.__signature__ = inspect.signature(constructor)
        yield
    finally:
        for constructor in parts:
            constructor.__dict__.pop("__signature__", None)


def score_cases(
    estimator: Any,
    values: Float32[np.ndarray, "n_samples n_features"] | Int8[np.ndarray, "n_samples n_features"],
) -> Float64[np.ndarray, " n_samples"]:
    """Return each sample's score of being a case, 0 to 1; above .5 where it is predicted a case.

    Values are what the estimator was fitted to; a pipeline may take dosages as they are.

    For an SVM it is the logistic of the decision function, which ranks samples and is not a
    calibrated probability; for the others it is the probability the trees vote.
    """
    if hasattr(estimator, "decision_function") and not hasattr(estimator, "predict_proba"):
        margin = np.asarray(estimator.decision_function(values), dtype=np.float64)
        small = np.exp(-np.abs(margin))
        scores = np.where(margin > 0, 1 / (1 + small), small / (1 + small))
        case = margin > 0
    else:
        votes = np.asarray(estimator.predict_proba(values), dtype=np.float64)
        scores, case = votes[:, 1], votes[:, 1] > votes[:, 0]
    # Sums of votes round: hold the score to the estimator's own side of .5.
    return np.where(case, np.maximum(scores, np.nextafter(0.5, 1)), np.minimum(scores, 0.5))
