"""What a finished study says its models rest on, held against its files, and asked again afterwards."""

import numpy as np
import pandas as pd
import pytest

from genotransfer.errors import StudyError
from genotransfer.stages.interpretation_again import interpret_again
from tests.integration.support import METHODS, read_bed, read_tiny


@pytest.fixture(scope="module")
def tables(finished):
    return {name: pd.read_parquet(finished.folder / f"{name}.parquet") for name in ("importance", "recovery")}


def test_every_chosen_model_is_explained_and_named(finished, tables):
    importance = tables["importance"]
    results = finished.results
    pairs = set(zip(importance["phenotype"], importance["method"], strict=True))
    assert pairs == {(name, method) for name in ("3_1", "3_2") for method in METHODS}
    assert len(results) == len(pairs)
    assert set(importance["population"]) == {"CEU"}
    ranked = importance[importance["kind"] == "pursuit"]
    assert ranked.groupby(["phenotype", "method"])["share"].sum().to_numpy() == pytest.approx(1)
    known = pd.read_csv(
        finished.find("prepare_genotypes", "source_genotypes") / "genotypes.bim",
        sep="\t",
        header=None,
        dtype=str,
    ).set_index(1)
    places = importance.drop_duplicates("id").set_index("id")
    assert (known.loc[places.index, 3].astype(int) == places["position"]).all()


def test_the_r2_with_risk_snps_is_that_of_the_genotypes(finished, tables):
    truth = finished.find("prepare_phenotypes", "truth", phenotype="3_1")
    risk = pd.read_csv(truth / "risk_variants.tsv", sep="\t", dtype={"id": str})["id"]
    table = tables["importance"]
    table = table[(table["phenotype"] == "3_1") & (table["risk_r2"] > 0.2)].drop_duplicates("id").head(40)
    prefix = finished.find("prepare_genotypes", "source_genotypes") / "genotypes"
    mine, theirs = read_bed(prefix, table["id"])[0], read_bed(prefix, risk)[0]
    r2 = np.corrcoef(mine.T.astype(float), theirs.T.astype(float))[: len(table), len(table) :] ** 2
    assert table["risk_r2"].to_numpy() == pytest.approx(r2.max(axis=1), abs=1e-9)
    assert table["risk_id"].tolist() == [risk.iloc[at] for at in r2.argmax(axis=1)]


def test_recovery_follows_from_the_ranks(tables):
    importance, recovery = tables["importance"], tables["recovery"]
    rows = recovery[(recovery["kind"] == "pursuit") & (recovery["ranked"] == "bins")]
    assert len(rows) == 2 * len(METHODS)
    for row in rows.to_dict("records"):
        mine = importance[
            (importance["phenotype"] == row["phenotype"])
            & (importance["method"] == row["method"])
            & (importance["kind"] == "pursuit")
            & importance["lead"]
        ].sort_values("bin_rank")
        hits = mine["risk_r2"].to_numpy() >= 0.8
        first = np.flatnonzero(hits)
        assert row["first_rank"] == (first[0] + 1) if len(first) else np.isnan(row["first_rank"])
        assert row["precision_5"] == pytest.approx(hits[:5].mean())
    assert (recovery[recovery["method"] == "association"]["kind"] == "p").all()


def test_the_report_shows_it(finished):
    page = (finished.folder / "report.html").read_text()
    assert "What the models rest on" in page
    assert "Do they find the true risk SNPs?" in page
    for name in ("3_1", "3_2"):
        assert (finished.folder / "figures" / f"YRI_{name}_importance.png").stat().st_size > 10_000


@pytest.fixture(scope="module")
def again(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("again")
    genes = folder / "genes.bed"
    genes.write_text("chr21\t0\t30000000\tFIRST\nchr21\t30000000\t50000000\tSECOND\n")

    def ask(**more):
        by_phenotype = {
            "phenotypes": finished.by("control_quality", "kept_phenotypes", "phenotype"),
            "truths": finished.by("prepare_phenotypes", "truth", "phenotype"),
            "associations": finished.by("test_association", "association", "phenotype"),
        }
        genotypes = {
            role: str(finished.find("prepare_genotypes", f"{role}_genotypes"))
            for role in ("source", "target")
        }
        return interpret_again(
            read_tiny(),
            finished.find("select_best_model", "selection"),
            finished.models,
            genotypes=genotypes,
            **by_phenotype,
            **(
                {
                    "named": ["3_1"],
                    "gene_models": genes,
                    "methods": ["score_transfer"],
                    "folder": folder / "out",
                }
                | more
            ),
        )

    return ask


def test_afterwards_it_names_genes_and_explains_a_person(again, finished):
    table = pd.read_csv(
        finished.find("control_quality", "kept_phenotypes", phenotype="3_1") / "target.tsv", sep="\t"
    )
    person = str(table["IID"].iloc[0])
    written = {path.name: path for path in again(role="target", people=[person])}
    assert set(written) == {
        "importance.parquet", "recovery.parquet", "variants.tsv", "genes.tsv", "people.tsv",
        "YRI_3_1_importance.png",
    }  # fmt: skip
    variants = pd.read_csv(written["variants.tsv"], sep="\t")
    assert set(variants["population"]) == {"YRI"}
    early = variants["position"] <= 30_000_000
    assert variants["gene"].tolist() == ["FIRST" if one else "SECOND" for one in early]
    genes = pd.read_csv(written["genes.tsv"], sep="\t")
    shares = genes[genes["kind"] == "pursuit"].set_index("gene")["share"]
    assert shares.sum() == pytest.approx(1)
    people = pd.read_csv(written["people.tsv"], sep="\t")
    assert set(people["iid"]) == {person}
    assert people["fit"].min() > 0.95  # a score is linear
    out = written["people.tsv"].parent
    (out / "other.png").write_bytes(b"")  # is none of these
    # Another call leaves no table of this one, which was about other models.
    written = again(gene_models=None, named=["3_2"])
    assert {path.name for path in written} == {
        "importance.parquet", "recovery.parquet", "variants.tsv", "YRI_3_2_importance.png"
    }  # fmt: skip
    assert not (out / "genes.tsv").exists()
    assert not (out / "people.tsv").exists()


def test_a_stranger_an_unknown_phenotype_and_a_method_without_a_model_are_told(again, tmp_path):
    with pytest.raises(StudyError, match=r"'nobody' is nobody in TD, VD or ED of CEU"):
        again(people=["nobody"])
    with pytest.raises(StudyError, match=r"no phenotype '9_9'. Choose from: 3_1, 3_2"):
        again(named=["9_9"])
    untouched = tmp_path / "untouched"
    for wrong in ({"methods": ["magic"]}, {"people": ["nobody"]}):
        with pytest.raises(StudyError):
            again(folder=untouched, **wrong)
    assert not untouched.exists()
