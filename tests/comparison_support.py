"""Small comparisons: people drawn without a simulator, and settings to judge models by."""

import numpy as np
import pandas as pd

from genotransfer.comparison.folds import deal_folds
from genotransfer.comparison.people import ComparisonPeople
from genotransfer.comparison.settings import ComparedModel, ComparisonStudy
from genotransfer.splits import LabelledSamples
from genotransfer.stages.phenotypes import RISK_COLUMNS

LOGISTIC = {"name": "logistic", "kind": "logistic", "selection": {"associated": 8}}


def make_study(*models, **settings):
    return ComparisonStudy(
        name="small",
        models=[ComparedModel.model_validate_json(_to_json(one)) for one in models or (LOGISTIC,)],
        **settings,
    )


def _to_json(settings):
    import json

    return json.dumps(settings)


def draw_people(n=90, p=40, n_source=120, seed=1, effect=1.5, groups=None, missing=0.02):
    """Draw people of both populations whose first two variants tell cases, the more the larger the effect."""
    rng = np.random.default_rng(seed)

    def draw(size):
        dosages = rng.binomial(2, rng.uniform(0.2, 0.5, p), (size, p)).astype(np.int8)
        liability = effect * (dosages[:, 0] + dosages[:, 1]) + rng.normal(size=size)
        labels = (liability > np.median(liability)).astype(np.int8)
        dosages[rng.random(dosages.shape) < missing] = -1
        return LabelledSamples(dosages, labels)

    target, source = draw(n), draw(n_source)
    ids = [f"p{number}" for number in range(n)]
    variants = [f"v{number}" for number in range(p)]
    return ComparisonPeople(
        variants=pd.DataFrame({"id": variants, "counted": "A", "other": "G"}),
        samples=pd.DataFrame({"FID": ids, "IID": ids}),
        target=target,
        source=source,
        folds=deal_folds(target.labels, 3, 5, groups),
        groups=groups,
        risk=pd.DataFrame(columns=RISK_COLUMNS),
        heritability=None,
    )
