"""Models compared on the same people and folds: the comparison of Dhaliwal, by nested cross-validation."""
