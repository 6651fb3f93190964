"""What is looked at in a classifier from a file before it predicts: its compiled code trusts its numbers.

A tree whose node names a child or a variant that is not there reads whatever lies in memory, or goes
round for ever; so does a support-vector machine whose tables are of other sizes than it says.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LEAF = -1


def check_classifier(estimator: Any) -> None:
    """Check that a classifier's tables agree with one another.

    Parameters
    ----------
    estimator : one of the five classifiers, of the classes 0 and 1.

    Raises
    ------
    ValueError
        They do not.
    AttributeError, TypeError
        Something is absent, or of another kind.
    """
    _require(np.array_equal(np.asarray(estimator.classes_), [0, 1]), "the classes are not 0 and 1")
    name, n = type(estimator).__name__, _count(estimator.n_features_in_)
    if name == "SVC":
        _check_vectors(estimator, n)
    elif name == "DecisionTreeClassifier":
        _check_tree(estimator, n)
    elif name == "RandomForestClassifier":
        _require(len(estimator.estimators_) > 0, "a forest without trees")
        _require(estimator.n_outputs_ == 1 and estimator.n_classes_ == 2, "more than one outcome")
        for one in estimator.estimators_:
            _check_tree(one, n)
    else:
        _require(
            0 < len(estimator.estimators_) == len(estimator.estimators_features_), "an ensemble without parts"
        )
        for one, features in zip(estimator.estimators_, estimator.estimators_features_, strict=True):
            chosen = np.asarray(features)
            fits = chosen.ndim == 1 and chosen.dtype.kind in "iu" and chosen.min() >= 0 and chosen.max() < n
            _require(bool(fits), "a part of the ensemble reads features that are not there")
            _check_tree(_find_last(one), len(chosen))


def _find_last(part: Any) -> Any:
    """Return the tree of a part: an under-sampling pipeline, or the tree itself."""
    if type(part).__name__ != "Pipeline":
        return part
    names = [type(step).__name__ for _, step in part.steps]
    _require(names == ["RandomUnderSampler", "DecisionTreeClassifier"], "another pipeline")
    return part.steps[-1][1]


def _check_tree(estimator: Any, n_features: int) -> None:
    from sklearn.tree import DecisionTreeClassifier

    _require(type(estimator) is DecisionTreeClassifier, "a part is no tree")
    _require(_count(estimator.n_features_in_) == n_features, "a tree of another number of features")
    _require(np.array_equal(np.asarray(estimator.classes_), [0, 1]), "the classes are not 0 and 1")
    _require(estimator.n_outputs_ == 1 and estimator.n_classes_ == 2, "more than one outcome")
    tree = estimator.tree_
    n_nodes = tree.node_count
    _require(tree.n_features == n_features, "a tree of another number of features")
    _require(tree.n_outputs == 1 and tree.max_n_classes == 2, "more than one outcome")
    _require(0 < n_nodes <= tree.capacity, "a tree that names more nodes than it has")
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    at = np.arange(n_nodes)
    leaf = left == LEAF
    _require(np.array_equal(leaf, right == LEAF), "a node with one child")
    # A child stands behind its parent, as they are grown: no way down leads round.
    for child in (left[~leaf], right[~leaf]):
        _require(bool(((child > at[~leaf]) & (child < n_nodes)).all()), "a node whose child is not there")
    used = feature[~leaf]
    _require(bool(((used >= 0) & (used < n_features)).all()), "a node whose feature is not there")
    _require(tree.value.shape == (n_nodes, 1, 2), "a tree with other values")
    shares = bool((tree.value >= 0).all()) and np.allclose(tree.value.sum(axis=2), 1)
    _require(shares, "a tree with values that are no shares")


def _check_vectors(estimator: Any, n_features: int) -> None:
    vectors, support = estimator.support_vectors_, estimator.support_
    n_vectors = len(support)
    counts = np.asarray(estimator._n_support)
    tables = {
        "support_vectors_": (vectors, (n_vectors, n_features)),
        "_dual_coef_": (estimator._dual_coef_, (1, n_vectors)),
        "dual_coef_": (estimator.dual_coef_, (1, n_vectors)),
        "_intercept_": (estimator._intercept_, (1,)),
    }
    for name, (table, shape) in tables.items():
        _require(
            isinstance(table, np.ndarray) and table.dtype == np.float64, f"{name} is no table of numbers"
        )
        _require(table.shape == shape and bool(np.isfinite(table).all()), f"{name} is of another shape")
    _require(counts.shape == (2,) and bool((counts >= 0).all()), "other counts of support vectors")
    _require(int(counts.sum()) == n_vectors, "other counts of support vectors")
    _require(estimator.kernel == "rbf" and estimator._sparse is False, "another kernel")
    _require(not len(estimator._probA) + len(estimator._probB), "tables of probabilities")
    _require(estimator.probability in (False, "deprecated"), "tables of probabilities")
    _require(isinstance(estimator._gamma, float) and np.isfinite(estimator._gamma), "no gamma")


def _count(value: Any) -> int:
    _require(isinstance(value, int | np.integer) and value > 0, "no number of features")
    return int(value)


def _require(holds: object, problem: str) -> None:
    if not holds:
        raise ValueError(problem)
