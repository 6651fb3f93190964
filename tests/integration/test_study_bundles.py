"""A finished study's models as bundles: the same scores anywhere, and what the study said of them."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from threadpoolctl import threadpool_limits

import genotransfer.prediction
from genotransfer.alignment import match_variants
from genotransfer.errors import InputError, StudyError
from genotransfer.formats.convert import convert
from genotransfer.formats.files import replace_together
from genotransfer.formats.plink import read_bim
from genotransfer.phenotypes import read_phenotype_table
from genotransfer.prediction.bundle import export_bundle, load_bundle
from genotransfer.prediction.frames import describe_pyfunc
from genotransfer.prediction.predict import predict_file
from genotransfer.stages.genotypes import open_population
from pipelines.run_folder import RunFolder
from tests.integration.support import METHODS, read_tiny, run_cli, share

PHENOTYPE = "3_1"


def export(finished, folder, phenotype=PHENOTYPE, phenotypes_folder=None, **changed):
    given = {
        "selection_folder": finished.find("select_best_model", "selection"),
        "results_folder": finished.find("evaluate_final", "results"),
        "models": finished.models,
        "genotypes": {
            role: str(finished.find("prepare_genotypes", f"{role}_genotypes"))
            for role in ("source", "target", "final")
        },
        "phenotypes_folder": phenotypes_folder
        or finished.find("control_quality", "kept_phenotypes", phenotype=phenotype),
    }
    return export_bundle(folder, read_tiny(), phenotype, **(given | changed))


@pytest.fixture(scope="module")
def bundle(finished, tmp_path_factory):
    folder = share(tmp_path_factory, "bundle", lambda folder: export(finished, folder / "bundle"))
    return load_bundle(folder / "bundle")


@pytest.fixture(scope="module")
def fd(finished):
    return open_population(finished.find("prepare_genotypes", "final_genotypes"))


def read_scores(finished, phenotype=PHENOTYPE, method="chosen"):
    """Return the study's own predictions on FD, by person."""
    table = pd.read_parquet(finished.find("evaluate_final", "results") / "predictions.parquet")
    mine = table[(table["phenotype"] == phenotype) & (table["method"] == method)]
    return mine.set_index("IID")


@pytest.mark.parametrize("phenotype", ["3_1", "3_2"])
@pytest.mark.parametrize("method", METHODS)
def test_a_bundle_scores_fd_as_the_study_did(finished, fd, tmp_path, phenotype, method):
    made = export(finished, tmp_path / "bundle", phenotype, method=method)
    with threadpool_limits(1):
        scores = made.score(match_variants(fd, made.variants).read())
    expected = read_scores(finished, phenotype, method)
    assert list(expected.index) == list(fd.samples["iid"])
    assert (scores == expected["score"].to_numpy()).all()
    members = pd.read_parquet(finished.find("select_best_model", "selection") / "members.parquet")
    mine = members[(members["phenotype"] == phenotype) & (members["method"] == method)]
    assert [(one.key, one.weight) for one in made.facts.members] == list(
        zip(mine["key"], mine["weight"], strict=True)
    )
    with threadpool_limits(1):
        done = predict_file(made, fd.prefix)
    assert (done.table["probability"].to_numpy() == scores).all()


def test_a_bundle_says_what_the_study_measured(finished, bundle):
    facts = bundle.facts
    assert (facts.study, facts.phenotype, facts.source, facts.target) == ("tiny", "3_1", "CEU", "YRI")
    assert (facts.method, facts.build, facts.threshold) == ("chosen", "GRCh38", 0.5)
    rows = pd.read_parquet(finished.find("evaluate_final", "results") / "results.parquet")
    row = rows[(rows["phenotype"] == PHENOTYPE) & (rows["method"] == "chosen")].iloc[0]
    people, final = read_scores(finished), facts.final
    assert (final.n, final.n_cases) == (len(people), people["label"].sum())
    assert final.accuracy == ((people["score"] > 0.5) == (people["label"] == 1)).mean()
    assert final.auc == pytest.approx(roc_auc_score(people["label"], people["score"]))
    assert (final.accuracy_low, final.accuracy_high) == (row["fd_low"], row["fd_high"])
    assert (final.auc_low, final.auc_high) == (row["fd_auc_low"], row["fd_auc_high"])
    [(_, metadata)] = finished.list("prepare_genotypes", "final_genotypes")
    assert final.sha256 == metadata["sha256"]


def test_the_calibration_is_that_of_other_tools(finished, bundle):
    people = read_scores(finished)
    labels, scores = people["label"].to_numpy(), people["score"].to_numpy()
    logits = np.log(scores / (1 - scores))[:, None]
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logits, labels)
    mine = bundle.facts.calibration
    assert (mine.intercept, mine.slope) == pytest.approx((theirs.intercept_[0], theirs.coef_[0, 0]), abs=1e-4)
    assert mine.brier == pytest.approx(brier_score_loss(labels, scores))
    assert (bundle.calibration["n"].sum(), bundle.calibration["n_cases"].sum()) == (40, labels.sum())


def test_frequencies_are_those_of_the_people_that_learnt(finished, bundle):
    kept = finished.find("control_quality", "kept_phenotypes", phenotype=PHENOTYPE)
    for role, column in (("target", "frequency"), ("source", "source_frequency")):
        people = open_population(finished.find("prepare_genotypes", f"{role}_genotypes"))
        learnt = read_phenotype_table(kept / f"{role}.tsv")
        view = match_variants(people, bundle.variants).select(samples=people.locate_samples(learnt["IID"]))
        assert bundle.variants[column].to_numpy() == pytest.approx(view.read().mean(axis=0) / 2)
        assert getattr(bundle.facts, f"n_{role}") == len(learnt)
    assert bundle.facts.n_target_cases == learnt_cases(kept)
    assert (np.diff(bundle.variants["position"]) >= 0).all()


def learnt_cases(kept):
    return int(read_phenotype_table(kept / "target.tsv")["phenotype"].sum())


def test_fd_has_no_say_in_a_bundles_variants(finished, tmp_path):
    """Without results all but what FD measured is the same."""
    whole = export(finished, tmp_path / "whole")
    without = export(finished, tmp_path / "without", results_folder=None)
    assert (without.facts.final, len(without.calibration)) == (None, 0)
    assert {name for name, sha in whole.facts.sha256.items() if without.facts.sha256[name] != sha} == {
        "calibration.parquet"
    }
    assert whole.facts.ancestry == without.facts.ancestry


def test_the_same_study_gives_the_same_bundle(finished, bundle, tmp_path):
    again = export(finished, tmp_path / "again")
    assert (again.folder / "bundle.json").read_bytes() == (bundle.folder / "bundle.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"phenotype": "9_9"}, "no phenotype '9_9'. Name one of: 3_1, 3_2"),
        (
            {"method": "deep_adapted"},
            "no model of 3_1 by 'deep_adapted'. Name one of: chosen, deep_finetuned",
        ),
    ],
)
def test_what_the_study_lacks_is_told_and_nothing_is_written(finished, tmp_path, change, says):
    kept = finished.find("control_quality", "kept_phenotypes", phenotype=PHENOTYPE)
    with pytest.raises(StudyError, match=says):
        export(finished, tmp_path / "bundle", **({"phenotypes_folder": kept} | change))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_other_things_is_not_replaced(finished, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="It holds something other than"):
        export(finished, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def write_vcf(genotypes, path: Path) -> None:
    """Write a VCF by hand: REF is the other allele, ALT the counted one."""
    calls = np.array(["./.", "0/0", "0/1", "1/1"])
    with replace_together(path) as [temporary], temporary.open("w") as file:
        file.write("##fileformat=VCFv4.2\n##contig=<ID=chr21>\n")
        file.write('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n')
        names = "\t".join(genotypes.samples["iid"])
        file.write(f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{names}\n")
        for row, dosages in zip(genotypes.variants.itertuples(), genotypes.read().T, strict=True):
            written = "\t".join(calls[dosages + 1])
            file.write(f"chr21\t{row.position}\t.\t{row.other}\t{row.counted}\t.\tPASS\t.\tGT\t{written}\n")


def test_every_format_gives_the_studys_scores(finished, bundle, fd, tmp_path):
    expected = read_scores(finished)["score"]
    write_vcf(fd, tmp_path / "fd.vcf")
    convert(fd.prefix, tmp_path / "fd.gen")
    convert(fd.prefix, tmp_path / "raw", to_format="23andme")
    with threadpool_limits(1):
        for name in ("fd.vcf", "fd.gen"):
            done = predict_file(bundle, tmp_path / name)
            assert (done.table["probability"].to_numpy() == expected.to_numpy()).all(), name
            assert done.match_rate == 1
    one = fd.samples["iid"].iloc[7]
    done = predict_file(bundle, tmp_path / "raw" / f"{one}.txt")
    assert done.table["probability"].to_list() == pytest.approx([expected[one]], rel=1e-12)


def test_fd_is_of_the_target_and_the_source_is_not(finished, bundle, fd):
    done = predict_file(bundle, fd.prefix)
    assert [one for one in done.warnings if "nearer" in one or "far from" in one] == []
    assert abs(done.table["ancestry_z"].mean()) < 0.7
    source = open_population(finished.find("prepare_genotypes", "source_genotypes"))
    done = predict_file(bundle, source.prefix)
    assert done.warnings[0].startswith("200 of 200 people are nearer to CEU, the source, than to YRI")


def test_variants_are_thinned_within_the_populations(finished, bundle):
    target = open_population(finished.find("prepare_genotypes", "target_genotypes"))
    dosages = match_variants(target, bundle.ancestry).read().astype(float)
    neighbours = [
        np.corrcoef(dosages[:, at], dosages[:, at + 1])[0, 1] ** 2 for at in range(dosages.shape[1] - 1)
    ]
    assert np.mean(neighbours) < 0.05
    everything = target.read().astype(float)
    everything = everything[:, everything.std(axis=0) > 0]
    before = [np.corrcoef(everything[:, at : at + 2].T)[0, 1] ** 2 for at in range(everything.shape[1] - 1)]
    assert np.mean(before) > 2 * np.mean(neighbours)


def test_the_command_line_exports_and_predicts(finished, fd, tmp_path):
    done = run_cli("export", finished.folder, PHENOTYPE, "bundle", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("bundle: YRI_3_1, ")
    done = run_cli(
        "predict", "bundle", fd.prefix, "--out", "out/table.tsv", cwd=tmp_path, OMP_NUM_THREADS="1"
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "out" / "table.tsv", sep="\t")
    assert table["probability"].to_numpy() == pytest.approx(
        read_scores(finished)["score"].to_numpy(), abs=1e-9
    )
    assert "YRI_3_1 of the study tiny: 40 people" in done.stdout
    assert "Warning: FD has 40 people" in done.stdout
    bim = read_bim(f"{fd.prefix}.bim").iloc[100:]
    Path(tmp_path / "few.bim").write_text(bim.to_csv(sep="\t", header=False, index=False))
    Path(tmp_path / "few.fam").write_bytes(Path(f"{fd.prefix}.fam").read_bytes())
    bed = Path(f"{fd.prefix}.bed").read_bytes()
    Path(tmp_path / "few.bed").write_bytes(bed[:3] + bed[3 + 100 * 10 :])
    done = run_cli("predict", "bundle", "few", "--least-match-rate", "0.99", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the file holds 93.3% of the model's 1500 variants" in done.stderr
    done = run_cli("export", tmp_path, PHENOTYPE, "other", cwd=tmp_path)
    assert done.returncode == 2
    assert "this is no folder of a run" in done.stderr


def test_a_run_that_was_moved_can_still_be_exported(finished, bundle, tmp_path):
    """Its artifacts are found by where they are, not by where they were made."""
    moved = tmp_path / "moved"
    moved.symlink_to(finished.folder)
    run = RunFolder(moved)
    assert str(run.find("select_best_model", "selection")).startswith(str(moved))
    with pytest.raises(InputError, match="0 finished tasks 'control quality of 9_9'"):
        run.find("control_quality", "kept_phenotypes", phenotype="9_9")


SERVE = """
import json, sys, warnings
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
frame = pd.read_parquet(sys.argv[3])
scores = model.predict(frame)
said = ""
try:
    model.predict(frame.drop(columns=frame.columns[5]))
except Exception as error:
    said = str(error)
heavy = [name for name in sys.modules if name.split(".")[0] in ("kfp", "tensorflow", "keras", "components")]
heavy += [name for name in sys.modules if name.startswith("genotransfer.training")]
print(json.dumps([scores.to_dict("list"), said, heavy]))
"""


def log_bundle(bundle, uri: str, folder: Path, signed: bool) -> str:
    """Log a bundle as MLflow's pyfunc; return its address."""
    import mlflow
    from mlflow.models import ModelSignature, infer_signature

    frame, example = describe_pyfunc(bundle)
    signature = infer_signature(frame, example)
    if not signed:
        signature = ModelSignature(outputs=signature.outputs)
    known = os.environ.get("MLFLOW_TRACKING_URI")
    before = mlflow.get_tracking_uri()
    try:
        mlflow.set_tracking_uri(uri)
        experiment = mlflow.create_experiment("served", artifact_location=(folder / "artifacts").as_uri())
        with mlflow.start_run(experiment_id=experiment):
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(Path(genotransfer.prediction.__file__).with_name("pyfunc_code.py")),
                artifacts={"bundle": str(bundle.folder)},
                signature=signature,
                pip_requirements=["genotransfer"],
            )
    finally:
        mlflow.set_tracking_uri(before)
        # MLflow writes the address into the environment, where later tests would find it.
        if known is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        else:
            os.environ["MLFLOW_TRACKING_URI"] = known
    return logged.model_uri


@pytest.mark.parametrize("signed", [True, False])
def test_mlflow_serves_a_bundle_without_what_trains(finished, bundle, fd, tmp_path, monkeypatch, signed):
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's advice, and its use of SQLAlchemy
        address = log_bundle(bundle, uri, tmp_path, signed)
    people = pd.DataFrame(
        match_variants(fd, bundle.variants).read().astype(float), columns=list(bundle.variants["id"])
    )
    people.iloc[0, :3] = np.nan
    people.iloc[:, ::-1].to_parquet(tmp_path / "people.parquet")
    done = subprocess.run(
        [sys.executable, "-c", SERVE, uri, address, str(tmp_path / "people.parquet")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    scores, said, heavy = json.loads(done.stdout.splitlines()[-1])
    assert heavy == []
    assert bundle.variants["id"].iloc[-6] in said
    expected = read_scores(finished)["score"].to_numpy()
    assert scores["probability"][1:] == pytest.approx(expected[1:], abs=1e-12)
    assert scores["probability"][0] != expected[0]
    assert scores["predicted"] == [int(one > 0.5) for one in scores["probability"]]
