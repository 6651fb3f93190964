"""Explanations against closed forms, conserved sums, and a planted SNP that every family must find."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import permutation_importance

from benchmarks.interpretation import summarise
from genotransfer.errors import StudyError
from genotransfer.exome.gene_models import read_gene_models
from genotransfer.interpretation.activation import map_activations
from genotransfer.interpretation.attributions import expect_gradients, integrate_gradients, sum_bins
from genotransfer.interpretation.explain import Effort, Importance, explain_model, list_members, narrow_score
from genotransfer.interpretation.inherent import read_impurity
from genotransfer.interpretation.kinds import list_kinds
from genotransfer.interpretation.local import explain_person
from genotransfer.interpretation.outputs import decide_svm, is_svm, take_gradient, take_output
from genotransfer.interpretation.patterns import correlate_output, pursue_output
from genotransfer.interpretation.permutation import permute_bins
from genotransfer.interpretation.recovery import assess_importance, find_proxies
from genotransfer.interpretation.tables import (
    IMPORTANCE_COLUMNS,
    combine_tables,
    list_leads,
    name_genes,
    tabulate_importance,
)
from genotransfer.models.predictors import ScorePredictor
from genotransfer.randomness import make_generator
from genotransfer.report.interpretation import Interpretation, lay_out_interpretation
from genotransfer.stages.interpretation import ABOUT, RECOVERY_COLUMNS
from genotransfer.stages.interpretation_again import _list_variants
from tests.interpretation_support import NETWORKS, PROXY, RISK, TRAINED, M, fit_models, make_cohort, plant

FAMILIES = (
    "svm", "cart", "rus", "forest", "bagging", *NETWORKS, "gru_1+svm", "gru_1+cart", "score",
)  # fmt: skip
SMOOTH = ("svm", "ann_1", "gru_1", "cnn_1d", "cnn_3d", "gru_1+svm", "score")
# Of people, background and permutations only as many as the tests need.
LITTLE = Effort(people=20, background=10, permuted=5, repeats=3)


def explain(name, **more):
    planted = plant()
    return explain_model(fit_models()[name], planted.people, planted.bins, 3, effort=LITTLE, **more)


def tabulate(name, **more):
    planted = plant()
    return tabulate_importance(explain(name, **more), planted.variants, planted.bins)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_ranks_the_planted_snp_first(name):
    table = tabulate(name)
    # A map of pooled positions, of a network this small, does not say where to look.
    for kind, part in table[table["kind"] != "activation"].groupby("kind"):
        most = 3 if kind == "permutation_loss" else 1  # of the few people held out
        ranks = part.loc[part["id"].isin([f"rs{RISK}", f"rs{PROXY}"]), "bin_rank"]
        assert ranks.min() <= most, kind
    first = list_leads(table[table["kind"] == table["kind"].iloc[0]]).iloc[0]
    assert first["id"] in (f"rs{RISK}", f"rs{PROXY}")
    # Copies of the risk allele speak for a case; the proxy's counted allele is the other one.
    assert first["direction"] == (1 if first["id"] == f"rs{RISK}" else -1)


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_those_of_finite_differences(name):
    predictor, values = fit_models()[name], plant().values[:3]
    if name == "cnn_3d":
        values = predictor.standardiser.transform(plant().dosages[:3]) + np.float32(0.3)  # off its corners
    output, gradient = take_output(predictor), take_gradient(predictor)
    step = 1e-2
    found = gradient(values)
    for column in (RISK, PROXY, 0):
        up, down = values.copy(), values.copy()
        up[:, column] += step
        down[:, column] -= step
        differences = (output(up) - output(down)) / (2 * step)
        assert found[:, column] == pytest.approx(differences, abs=2e-2 * np.abs(found).max() + 1e-3)


@pytest.mark.parametrize("name", SMOOTH)
def test_attributions_add_up_to_the_difference_of_the_outputs(name):
    predictor, planted = fit_models()[name], plant()
    values = predictor.standardiser.transform(planted.dosages[:8])
    output, gradient = take_output(predictor), take_gradient(predictor)
    baseline = values.mean(axis=0)
    told = integrate_gradients(gradient, values, baseline, steps=64)
    wanted = output(values) - output(baseline[None])
    assert told.sum(axis=1) == pytest.approx(wanted, abs=0.02 * np.ptp(wanted))
    others = predictor.standardiser.transform(planted.dosages[160:])
    expected = expect_gradients(gradient, values, others, make_generator(1, "places"))
    wanted = output(values) - output(others).mean()
    assert expected.sum(axis=1) == pytest.approx(wanted, abs=0.15 * np.ptp(wanted))
    again = expect_gradients(gradient, values, others, make_generator(1, "places"))
    assert np.array_equal(expected, again)


def test_of_a_linear_model_the_attributions_are_effect_times_distance():
    predictor, values = fit_models()["score"], plant().values
    gradient, others = take_gradient(predictor), values[100:140]
    wanted = (values[:9] - others.mean(axis=0, dtype=float)) * predictor.effects
    told = expect_gradients(gradient, values[:9], others, make_generator(2, "places"))
    assert told == pytest.approx(wanted, abs=1e-6)
    assert integrate_gradients(gradient, values[:9]) == pytest.approx(
        values[:9] * predictor.effects, abs=1e-6
    )


def test_the_fast_decision_function_is_the_librarys():
    machine, values = fit_models()["svm"].estimator, plant().values
    assert decide_svm(machine, values) == pytest.approx(machine.decision_function(values), abs=1e-6)
    assert [name for name, one in fit_models().items() if is_svm(one)] == ["svm", "gru_1+svm"]
    assert take_gradient(fit_models()["forest"]) is None


def test_impurity_of_bagged_trees_is_the_mean_of_theirs():
    models = fit_models()
    forest = models["forest"].estimator
    assert np.array_equal(read_impurity(forest), forest.feature_importances_)
    bagging = models["bagging"].estimator
    mean = np.mean([tree.feature_importances_ for tree in bagging.estimators_], axis=0)
    assert read_impurity(bagging) == pytest.approx(mean)
    assert read_impurity(models["rus"].estimator).sum() == pytest.approx(1)
    assert read_impurity(models["svm"].estimator) is None


def test_permuting_one_variant_is_scikit_learns_permutation_importance():
    planted, predictor = plant(), fit_models()["cart"]
    values, labels = planted.values[TRAINED:], planted.labels[TRAINED:]
    members = [np.array([at]) for at in range(values.shape[1])]
    told = permute_bins(take_output(predictor), values, labels, members, make_generator(1, "p"), 30)
    theirs = permutation_importance(
        predictor.estimator, values, labels, scoring="roc_auc", n_repeats=30, random_state=1
    )
    assert told.loss == pytest.approx(theirs.importances_mean, abs=0.05)
    assert told.loss.argmax() in (RISK, PROXY)


def test_permuting_a_linear_model_changes_it_by_twice_the_variance():
    predictor, planted = fit_models()["score"], plant()
    members = [np.array([RISK]), np.array([0, 1])]
    told = permute_bins(
        take_output(predictor), planted.values, planted.labels, members, make_generator(1, "p"), 60
    )
    parts = [(planted.values[:, one] * predictor.effects[one]).sum(axis=1) for one in members]
    assert told.change == pytest.approx([np.sqrt(2 * part.var()) for part in parts], rel=0.03)


def test_a_snp_with_a_proxy_must_be_permuted_with_it():
    planted, predictor = plant(), fit_models()["forest"]
    held = slice(TRAINED, None)
    members = [np.array([RISK]), np.array([PROXY]), np.array([RISK, PROXY])]
    told = permute_bins(
        take_output(predictor),
        planted.values[held],
        planted.labels[held],
        members,
        make_generator(1, "p"),
        20,
    )
    assert told.loss[2] > 1.5 * told.loss[:2].max()


def test_permuting_does_not_hang_on_the_order_of_people_or_variants():
    planted, name = plant(), "svm"
    base = explain(name, kinds=("pattern", "pursuit"))
    order = np.random.default_rng(1).permutation(len(planted.labels))
    people = planted.people
    shuffled = type(people)(people.dosages[order], people.labels[order], people.held_out[order])
    again = explain_model(fit_models()[name], shuffled, planted.bins, 3, kinds=("pattern", "pursuit"))
    for kind, one in base.items():
        assert again[kind].values == pytest.approx(one.values, abs=1e-9)


def test_the_pattern_is_the_squared_correlation_with_the_output():
    predictor, values = fit_models()["svm"], plant().values
    output = take_output(predictor)(values)
    found = correlate_output(values, output)
    assert found == pytest.approx([np.corrcoef(values[:, at], output)[0, 1] for at in range(values.shape[1])])


def test_the_pursuit_of_a_sparse_model_finds_its_variants_and_nothing_else():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(300, 40)).astype(np.float32)
    values[:, 8] = values[:, 3] + 0.1 * values[:, 8]  # nearly the first
    output = values[:, [3, 11, 30]].astype(float) @ [2.0, -1.0, 0.5]
    share, sign = pursue_output(values, output)
    assert list(np.flatnonzero(share)) == [3, 11, 30]
    assert share.sum() == pytest.approx(1, abs=1e-6)
    assert sign[[3, 11, 30]].tolist() == [1, -1, 1]
    assert share[3] > share[11] > share[30]
    assert not pursue_output(values, np.ones(300))[0].any()


def test_the_local_model_of_a_linear_model_is_itself():
    predictor, planted = fit_models()["score"], plant()
    members = list_members(planted.bins)
    baseline = planted.values.mean(axis=0)
    told = explain_person(
        take_output(predictor), planted.values[4], baseline, members, make_generator(1, "local")
    )
    wanted = sum_bins((planted.values[[4]] - baseline) * predictor.effects, planted.bins)[0]
    assert told.contributions == pytest.approx(wanted, abs=0.01)
    assert told.fit > 0.999
    assert told.output == pytest.approx(take_output(predictor)(planted.values[[4]])[0])


@pytest.mark.parametrize("name", ["cnn_1d", "cnn_2d", "cnn_3d"])
def test_an_activation_map_is_laid_on_the_variants_that_were_pooled(name):
    predictor = fit_models()[name]
    values = predictor.standardiser.transform(plant().dosages[:6])
    maps = map_activations(predictor, values)
    assert maps.shape == values.shape
    side = 6  # of the square that holds 30 variants
    if name == "cnn_1d":
        assert np.array_equal(maps[:, 0::2], maps[:, 1::2])
    else:
        square = np.pad(maps, ((0, 0), (0, side * side - maps.shape[1])), mode="edge").reshape(6, side, side)
        assert np.array_equal(square[:, 0, :4], square[:, 1, :4])
        assert np.array_equal(square[:, :4, 0], square[:, :4, 1])
    assert map_activations(fit_models()["ann_1"], plant().values[:2]) is None


def test_a_score_is_narrowed_without_a_change_of_what_permuting_does():
    planted, score = plant(), fit_models()["score"]
    # What stands for the risk SNP is permuted with it: it is to be in neither.
    whole = replace(score, effects=np.where(np.arange(len(score.effects)) == PROXY, 0.0, score.effects))
    narrowed, people, columns = narrow_score(whole, planted.people, most=3)
    assert isinstance(narrowed, ScorePredictor)
    assert len(columns) == 3
    assert RISK in columns
    values = whole.standardiser.transform(planted.dosages)
    told = take_output(narrowed)(values[:, columns]) + people.rest
    assert told == pytest.approx(take_output(whole)(values))
    full = explain_model(whole, planted.people, planted.bins, 1, kinds=("permutation_loss",), effort=LITTLE)
    less = explain_model(
        narrowed, people, planted.bins[columns], 1, kinds=("permutation_loss",), effort=LITTLE
    )
    at = list(columns).index(RISK)
    assert less["permutation_loss"].values[at] == pytest.approx(full["permutation_loss"].values[RISK])


def test_what_a_model_does_not_allow_is_an_error_that_names_what_there_is():
    with pytest.raises(StudyError, match=r"classical model allows none of: coefficient.*impurity"):
        explain("cart", kinds=("coefficient",))
    planted = plant()
    nobody = type(planted.people)(planted.dosages[:0], planted.labels[:0], np.zeros(0, dtype=bool))
    with pytest.raises(StudyError, match="nobody to explain"):
        explain_model(fit_models()["cart"], nobody, planted.bins, 1)


def test_shares_add_up_and_each_bin_has_one_lead():
    table = tabulate("forest")
    for _, part in table[~table["kind"].str.startswith("permutation")].groupby("kind"):
        assert part["share"].sum() == pytest.approx(1)
        assert part.loc[part["lead"], "bin_share"].sum() == pytest.approx(1)
        assert (part.groupby("bin")["lead"].sum() == 1).all()
        assert part["rank"].tolist() == list(range(1, len(part) + 1))


def test_the_mean_of_one_model_with_itself_is_the_model():
    one = tabulate("svm", kinds=("expected_gradients", "pattern"))
    both = combine_tables([one, one], [0.5, 0.5])
    for kind in ("expected_gradients", "pattern"):
        first, second = (table[table["kind"] == kind].set_index("id") for table in (one, both))
        pd.testing.assert_series_equal(first["share"], second["share"], rtol=1e-9)
        assert second["bin_rank"].eq(first["bin_rank"]).all()
    mixed = combine_tables([one, tabulate("forest", kinds=("pattern", "impurity"))], [0.5, 0.5])
    assert set(mixed["kind"]) == {"pattern"}  # what both allow


def test_of_a_bin_that_is_permuted_the_lead_is_the_patterns():
    """Pursuit knows of neither; the pattern's order stands for both, in one model and in the mean of two."""
    variants = plant().variants.iloc[:2].assign(id=["c", "d"])
    bins, sign = np.array([4, 4]), np.array([1, -1], dtype=np.int8)
    unknown = np.zeros(2, dtype=np.int8)

    def measure(kind, values, direction=unknown):
        values = np.array(values, dtype=float)
        return Importance(kind, values, values[:1], direction)

    told = {
        "pursuit": measure("pursuit", [0, 0]),
        "pattern": measure("pattern", [0.2, 0.5], sign),
        "impurity": measure("impurity", [0.1, 0.3]),
        "permutation_change": measure("permutation_change", [0.4, 0.4]),
    }
    one = tabulate_importance(told, variants, bins)
    other = tabulate_importance(told | {"pattern": measure("pattern", [0.6, 0.5], sign)}, variants, bins)
    for table in (one, combine_tables([one, other], [0.7, 0.3])):
        for kind in ("impurity", "permutation_change"):
            lead = list_leads(table[table["kind"] == kind]).iloc[0]
            assert (lead["id"], lead["direction"]) == ("d", -1), kind
    assert list_leads(other[other["kind"] == "permutation_change"])["id"].tolist() == ["c"]


def test_a_model_whose_output_does_not_vary_is_a_miss(tmp_path):
    cohort, score = make_cohort(tmp_path), fit_models()["score"]
    constant = replace(score, effects=np.zeros(M))
    kinds = ("pursuit", "impurity", "coefficient")
    nothing = cohort.explain([constant], [1.0], 5, kinds=kinds)
    assert nothing.empty
    proxies = find_proxies(cohort.reference, [f"rs{RISK}"])
    allowed = list_kinds([constant], kinds)
    assert allowed == ["pursuit", "coefficient"]
    rows = assess_importance(nothing, proxies, 1, allowed)
    assert rows[["kind", "ranked"]].to_numpy().tolist() == [
        [kind, ranked] for kind in allowed for ranked in ("bins", "variants")
    ]
    assert rows["n_ranked"].eq(0).all()
    assert rows["first_rank"].isna().all()
    assert rows["first_id"].isna().all()
    # In an ensemble it says nothing, and takes nothing from what the other says.
    alone = cohort.explain([score], [1.0], 5, kinds=kinds)
    pd.testing.assert_frame_equal(cohort.explain([score, constant], [0.5, 0.5], 5, kinds=kinds), alone)
    counted = pd.concat([rows, assess_importance(alone, proxies, 1, allowed)]).assign(
        family="score", model="susie", panel="chosen", people="all", n_snps=M, chance_panel=0.1,
        seed=np.repeat([1, 2], len(rows)),
    )  # fmt: skip
    shares = summarise(counted).set_index(["kind", "ranked"])
    assert shares.loc[("pursuit", "bins"), ["n", "hits"]].tolist() == [2, 1]
    # And where a measure has no row in one of the replicates.
    shares = summarise(counted[(counted["seed"] == 2) | (counted["kind"] == "pursuit")])
    assert shares["n"].tolist() == [2] * 4


def test_the_report_takes_no_other_methods_model_for_the_studys():
    """Of two phenotypes the chosen model of one gives everybody the same output, and has no row."""
    rows = tabulate("svm", kinds=("pattern",)).assign(
        model="svm", population="CEU", risk_id=None, risk_r2=0.0
    )
    importance = pd.concat(
        [
            rows.assign(phenotype="3_1", method="none"),
            rows.assign(phenotype="3_2", method="chosen"),
            rows.assign(phenotype="3_2", method="none", model="cart"),
        ]
    )
    recovery = pd.DataFrame(columns=RECOVERY_COLUMNS)
    [section] = lay_out_interpretation(Interpretation(importance, recovery), {"target": "YRI"})
    assert {(row[0].text, row[1].text) for row in section.rows} == {("YRI_3_2", "svm")}
    assert "same output has no row" in section.notes[-1]


def test_where_no_model_varies_there_is_an_empty_table_with_its_columns(tmp_path):
    written = pd.DataFrame(columns=[*ABOUT, *IMPORTANCE_COLUMNS, "risk_id", "risk_r2"])
    written.to_parquet(tmp_path / "importance.parquet")
    importance = pd.read_parquet(tmp_path / "importance.parquet")
    (tmp_path / "genes.bed").write_text("chr21\t0\t30000000\tFIRST\n")
    genes = name_genes(importance, read_gene_models(tmp_path / "genes.bed"))
    table = _list_variants(importance).merge(genes, on="id", how="left")
    assert table.empty
    assert {*ABOUT, "id", "bin_share", "risk_r2"} <= set(table.columns)


def test_a_cohort_explains_by_people_held_out_and_one_person_alone(tmp_path):
    cohort = make_cohort(tmp_path)
    assert len(cohort.labels) == 260  # fewer than a hundred are held out
    planted, models = plant(), fit_models()
    table = cohort.explain([models["forest"]], [1.0], 5, kinds=("pattern",))
    assert list_leads(table)["id"].iloc[0] in (f"rs{RISK}", f"rs{PROXY}")
    strongest = int(np.argmax(planted.dosages[:, RISK]))
    told, local = cohort.explain_person(
        models["score"], planted.dosages[strongest], make_generator(1, "person")
    )
    assert told["id"].iloc[0] in (f"rs{RISK}", f"rs{PROXY}")
    assert told["contribution"].iloc[0] > 0
    assert local.output == pytest.approx(take_output(models["score"])(planted.values[[strongest]])[0])
