"""A small study for the tests of the report: eight phenotypes with the paper's FD accuracies."""

import numpy as np
import pandas as pd

from genotransfer.candidates import ADAPTED, DEEP_METHODS, METHODS, SCORES_METHOD, Candidate, tabulate
from genotransfer.choice import EvidenceSizes, choose_by_evidence, describe_choice
from genotransfer.evaluation import best_accuracy, build_result, evaluate_predictions, tabulate_results
from genotransfer.report import published
from genotransfer.report.learning import Learning
from genotransfer.selection import select_best, sort_phenotypes

STUDY = {
    "name": "paper",
    "source": "CEU",
    "target": "YRI",
    "n_ed": 20,
    "n_fd": 50,
    "heritability": 0.5,
    "preset": "additive",
    "seed": 7,
    "version": "0.1.0",
}
PHENOTYPES = tuple(published.TABLE_3)
FAMILIES = ("ann_1", "ann_2", "ann_3", "gru_1", "gru_2", "lstm_1", "lstm_2", "bilstm_1", "bilstm_2")


def make_leaderboard(seed=1, phenotypes=PHENOTYPES):
    """Every candidate guesses: ED counts are binomial, so that ties are common."""
    generator = np.random.default_rng(seed)
    of_scores, of_adapted = (np.random.default_rng([seed, at]) for at in (1, 2))
    candidates = []
    for phenotype in phenotypes:
        candidates += [make_score(phenotype, name, of_scores) for name in ("susie", "susie_joint")]
        candidates += [make_adapted(phenotype, name, of_adapted) for name in ("ann_1", "gru_2")]
        for method in (method for method in METHODS if method not in (SCORES_METHOD, ADAPTED)):
            deep = method in DEEP_METHODS
            population = "target" if method == "none" else "source"
            sizes = (published.TABLE_1 if method == "none" else published.TABLE_2)[phenotype]
            for at, n_snps in enumerate(sizes):
                for model in FAMILIES if deep else ("svm", "cart", "rus", "forest", "bagging"):
                    for depth in (1, 2) if method == "deep_finetuned" else (0,):
                        if not n_snps:
                            continue
                        panel = f"{population}_{at + 1:02d}"
                        candidates.append(
                            Candidate(
                                key=f"{phenotype}-{method}-{panel}-{model}-{depth}",
                                phenotype=phenotype,
                                method=method,
                                fit_on="target",
                                panel=panel,
                                n_snps=n_snps,
                                model=f"{model}+svm" if method == "deep_pretrained" else model,
                                trainable_layers=depth,
                                td_accuracy=generator.binomial(70, 0.8) / 70,
                                vd_accuracy=generator.binomial(10, 0.5) / 10,
                                ed_accuracy=generator.binomial(20, 0.5) / 20,
                                source_ed_accuracy=generator.binomial(200, 0.5) / 200 if deep else np.nan,
                            )
                        )
    return tabulate(candidates)


def make_adapted(phenotype, network, generator):
    """Return an adapted network that guesses."""
    return Candidate(
        key=f"{phenotype}-{ADAPTED}-source_05-{network}",
        phenotype=phenotype,
        method=ADAPTED,
        fit_on="target",
        panel="source_05",
        n_snps=300,
        model=network,
        trainable_layers=3,
        td_accuracy=generator.binomial(70, 0.8) / 70,
        vd_accuracy=generator.binomial(10, 0.5) / 10,
        ed_accuracy=generator.binomial(20, 0.5) / 20,
        source_ed_accuracy=generator.binomial(200, 0.5) / 200,
    )


def make_score(phenotype, name, generator):
    """Return a polygenic score that guesses, judged by cross-validation."""
    target, source = generator.binomial(100, 0.5) / 100, generator.binomial(1000, 0.5) / 1000
    return Candidate(
        key=f"{phenotype}-{SCORES_METHOD}-{name}",
        phenotype=phenotype,
        method=SCORES_METHOD,
        fit_on="target",
        panel="all",
        n_snps=60_000,
        model=name,
        trainable_layers=0,
        td_accuracy=target,
        vd_accuracy=target,
        ed_accuracy=generator.binomial(20, 0.5) / 20,
        source_ed_accuracy=source,
        target_cv_accuracy=target,
        source_cv_accuracy=source,
    )


def make_predictions(n_right, n=50):
    """Labels, half of them cases, and scores of which `n_right` are right."""
    labels = (np.arange(n) % 2).astype(np.int8)
    called = np.where(np.arange(n) < n_right, labels, 1 - labels)
    return labels, np.where(called == 1, 0.9, 0.2)


def make_results(leaderboard):
    """Results whose FD accuracies are those of the paper's Tables 8 and 9, and of what was chosen of them."""
    printed = {}
    for table in (published.TABLE_8, published.TABLE_9):
        for at, phenotype in enumerate(table.phenotypes):
            printed[phenotype] = {
                "none": table.rows[published.WITHOUT][at],
                "snp_transfer": table.rows[published.WITH_SNPS][at],
                SCORES_METHOD: table.rows[published.WITH_SNPS][at],
                ADAPTED: table.rows[published.WITH_SNPS][at],
                **dict.fromkeys(DEEP_METHODS, table.rows[published.WITH_DEEP][at]),
            }
    rows = []
    members = choose_by_evidence(leaderboard, EvidenceSizes(70, 10, 20, 1000, 200))
    together = pd.concat([select_best(leaderboard), describe_choice(leaderboard, members)])
    methods = dict(zip(leaderboard["key"], leaderboard["method"], strict=True))
    for chosen in sort_phenotypes(together).to_dict("records"):
        n_right = printed[chosen["phenotype"]][methods[chosen["key"]]] // 2
        rows.append(
            build_result(
                chosen,
                evaluate_predictions(*make_predictions(n_right)),
                oracle_accuracy=0.74,
                ceiling=best_accuracy(0.5),
                n_risk_snps=int(chosen["phenotype"].split("_")[0]),
            )
        )
    return tabulate_results(rows)


def make_panel_sizes():
    """The sizes of Tables 1 and 2."""
    rows = [
        (phenotype, population, f"{population}_{at + 1}", n)
        for population, table in (("target", published.TABLE_1), ("source", published.TABLE_2))
        for phenotype, sizes in table.items()
        for at, n in enumerate(sizes)
    ]
    return pd.DataFrame(rows, columns=["phenotype", "population", "panel", "n_snps"])


def make_quality():
    rows = [
        ("duplicate", "source", 12, 101041),
        ("monomorphic", "source", 0, 101041),
        ("duplicate", "target", 3, 136018),
    ]
    return pd.DataFrame(rows, columns=["step", "population", "removed", "left"])


def make_learning(leaderboard, epochs=30):
    """Learning as it looks: TD falls, VD has its minimum at an epoch that differs by network."""
    generator = np.random.default_rng(3)
    curves, networks = [], []
    for row in select_best(leaderboard).query("method in @DEEP_METHODS").to_dict("records"):
        for trained_on in ("source", "target") if row["method"] == "deep_finetuned" else ("source",):
            best = int(generator.integers(1, 20))
            epoch = np.arange(1, best + 11)
            names = ("phenotype", "method", "model", "n_snps", "trainable_layers")
            curve = {"epoch": epoch, "td_loss": 0.7 * np.exp(-epoch / 12)}
            curve["vd_loss"] = 0.6 + 0.001 * (epoch - best) ** 2
            curves.append(pd.DataFrame(curve).assign(**{name: row[name] for name in names}))
            curves[-1]["trained_on"] = trained_on
            family = row["model"].split("_")[0]
            networks.append((family, trained_on, best, best + 10))
    columns = ["family", "trained_on", "best_epoch", "stopped_epoch"]
    return Learning(pd.concat(curves), pd.DataFrame(networks, columns=columns), epochs, 10)
