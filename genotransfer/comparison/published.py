"""The table Dhaliwal printed, so that a comparison's own can be set beside it.

Source
------
Dhaliwal N. Advanced Machine Learning Techniques to Improve Genomic Data Accuracy for Precision
Medicine. Table 1 and section Results.
"""

from __future__ import annotations

import math

CITATION = "Dhaliwal N. Advanced Machine Learning Techniques to Improve Genomic Data Accuracy for Precision Medicine."
COLUMNS = ("Random Forests", "CNNs", "Transfer Learning")
LIKE_CNN = "Comparable to CNNs"

# Table 1, "Performance Metrics Comparison", cell by cell as printed.
TABLE_1: dict[str, tuple[str, str, str]] = {
    "Accuracy": ("90%", ">95%", LIKE_CNN),
    "Sensitivity": ("88%", "94%", LIKE_CNN),
    "Specificity": ("92%", "96%", LIKE_CNN),
    "AUC - ROC": ("0.94", "0.97", LIKE_CNN),
}

# What of our tables stands in a row and beside a column: a metric of the results, a kind of model.
ROW_METRICS = {
    "Accuracy": "accuracy",
    "Sensitivity": "sensitivity",
    "Specificity": "specificity",
    "AUC - ROC": "auc",
}
COLUMN_KINDS = {"Random Forests": "forest", "CNNs": "network", "Transfer Learning": "transfer"}

# What the paper does not say, or says in two ways. Those with numbers are checked by a test.
DISCREPANCIES = (
    "Precision is named among the metrics, and logistic regression and support vector machines are said to be "
    "outperformed; no number is printed for any of the three.",
    "The number of people or variants, the disease, the data set, the folds, the settings that were searched and "
    "found, and the training times are not given, and no value has an interval.",
    "With a sensitivity of 94 % and a specificity of 96 %, an accuracy above 95 % needs fewer cases than "
    "controls; the random forest's 88, 92 and 90 % need as many cases as controls.",
    "What is classified is “genomic variants” in the results and the presence of a disease in the methods; the "
    "two are different tasks.",
)


def require_heritability(accuracy: float) -> float:
    """Return the least heritability of liability at which SNPs can reach an accuracy, 0 to 1.

    The ceiling `genotransfer.evaluation.best_accuracy` solved for the heritability: half of the people are
    cases, the liability is normal, and the model is perfect.
    """
    return math.sin(math.pi * (accuracy - 0.5)) ** 2 if accuracy > 0.5 else 0.0
