"""Components on real artifacts, and what they say when they are handed the wrong ones."""

import json
from pathlib import Path

import pandas as pd
import pytest
from kfp import dsl

from components.artifacts import (
    ArtifactFacts,
    GenotypesFacts,
    LeaderboardFacts,
    PhenotypesFacts,
    describe,
    expect,
)
from components.control_quality.component import control_quality
from components.prepare_genotypes.component import prepare_genotypes
from components.select_best_model.component import select_best_model
from components.select_panels.component import select_panels
from components.test_association.component import test_association as run_association
from components.train_scores.component import train_scores
from components.train_source_models.component import train_source_models
from genotransfer.candidates import LEADERBOARD_COLUMNS, Candidate, tabulate
from genotransfer.errors import StudyError
from genotransfer.events import EVENTS_VARIABLE, read_events
from genotransfer.genotypes import Genotypes
from genotransfer.models.store import load_predictor
from genotransfer.study_files import parse_study
from tests.components.support import PHENOTYPES, ROLES, STUDY, Desk, make_facts, mislabel


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.prepare()
    for phenotype in PHENOTYPES:
        check_quality(desk, phenotype)
        run_association.python_func(
            planned=desk["planned"],
            phenotypes=desk[f"kept_{phenotype}"],
            variants=desk[f"variants_{phenotype}"],
            **take_learning(desk),
            association=desk.new(f"association_{phenotype}"),
        )
        select_panels.python_func(
            planned=desk["planned"],
            association=desk[f"association_{phenotype}"],
            variants=desk[f"variants_{phenotype}"],
            panels=desk.new(f"panels_{phenotype}"),
        )
    return desk


def take_learning(desk):
    return {f"{role}_genotypes": desk[f"{role}_genotypes"] for role in ROLES[:2]}


def check_quality(desk, phenotype, **handed):
    inputs = {"planned": desk["planned"], "phenotypes": desk[f"phenotypes_{phenotype}"]} | take_learning(desk)
    names = {"variants": f"variants_{phenotype}", "kept_phenotypes": f"kept_{phenotype}"}
    outputs = {output: desk.new(f"refused_{name}" if handed else name) for output, name in names.items()}
    control_quality.python_func(**(inputs | outputs | handed))


def test_plan_study_writes_out_every_setting(desk):
    assert desk["planned"].metadata == {
        "kind": "study",
        "name": "parts",
        "seed": 5,
        "display_name": "Study parts",
    }
    written = Path(desk["planned"].path).read_text()
    assert parse_study(written) == parse_study(STUDY)
    assert json.loads(written)["quality"]["hwe_p"] == 1e-6


@pytest.mark.parametrize(
    ("handed", "says"),
    [
        ({"phenotypes": ["2_1"]}, r"parameter 'phenotypes' is \['2_1'\].* has \['2_1', '2_2'\]"),
        ({"families": ["ann", "gru"]}, r"parameter 'families' is \['ann', 'gru'\]"),
        ({"study": "name: Not A Name"}, "The study is not valid"),
        ({"study": STUDY + "extra: 1\n"}, "extra"),
        ({"study": "name: [unclosed"}, "The study is not valid"),
    ],
)
def test_plan_study_refuses_loops_that_are_not_the_studys(tmp_path, handed, says):
    from components.plan_study.component import plan_study

    planned = dsl.Dataset(name="planned", uri=str(tmp_path / "planned"), metadata={})
    summary = dsl.Markdown(name="summary", uri=str(tmp_path / "summary"), metadata={})
    due = {"study": STUDY, "phenotypes": PHENOTYPES, "families": ["ann"]}
    with pytest.raises(StudyError, match=says):
        plan_study.python_func(**(due | handed), planned=planned, summary=summary)
    assert list(tmp_path.iterdir()) == []
    assert planned.metadata == {}


def test_prepare_genotypes_describes_its_filesets(desk):
    sizes = {"source": 80, "target": 46, "final": 12}
    for role in ROLES:
        artifact = desk[f"{role}_genotypes"]
        opened = Genotypes.open(f"{artifact.path}/genotypes")
        facts = expect(artifact, GenotypesFacts, role=role, population="CEU" if role == "source" else "YRI")
        assert (
            (opened.n_samples, opened.n_variants) == (facts.n_samples, facts.n_variants) == (sizes[role], 300)
        )
        assert facts.sha256 == opened.hash_contents()
        assert (facts.build, facts.counted_allele) == ("GRCh38", "A1")
    assert desk["alignment"].metadata == {
        "kind": "alignment",
        "n_common": 300,
        "display_name": "Variants in common",
    }


def test_control_quality_hands_the_labels_on(desk):
    kept, given = desk["kept_2_1"], desk["phenotypes_2_1"]
    assert kept.metadata == given.metadata
    assert kept.metadata["n_samples"] == 80 + 46
    counts = pd.read_parquet(f"{desk['variants_2_1'].path}/counts.parquet")
    assert set(counts["population"]) == {"CEU", "YRI"}
    variants = pd.read_parquet(f"{desk['variants_2_1'].path}/variants.parquet")
    assert desk["variants_2_1"].metadata["n_variants"] == len(variants) <= 300


def test_gather_cohorts_makes_a_folder_for_each_phenotype(desk):
    # KFP collects in any order.
    desk.gather([desk["kept_2_2"], desk["kept_2_1"]], [desk["panels_2_1"], desk["panels_2_2"]])
    for phenotype in PHENOTYPES:
        place = desk.folder / "cohorts" / phenotype
        assert {path.name for path in place.iterdir()} == {"source.tsv", "target.tsv", "panels.parquet"}
        for name, artifact in (("source.tsv", "kept"), ("panels.parquet", "panels")):
            given = desk.folder / f"{artifact}_{phenotype}" / name
            assert (place / name).read_bytes() == given.read_bytes()
    assert sorted(desk["cohorts"].metadata["phenotypes"].split()) == PHENOTYPES


def learn_scores(desk, name, **handed):
    """Learn the scores of the first phenotype; return the leaderboard and the folder of models."""
    made = {"leaderboard": desk.new(f"{name}_board"), "models": desk.new(f"{name}_models", dsl.Model)}
    inputs = {
        "planned": desk["planned"],
        "phenotypes": desk["kept_2_1"],
        "variants": desk["variants_2_1"],
    } | take_learning(desk)
    train_scores.python_func(**(inputs | handed), **made)
    return pd.read_parquet(made["leaderboard"].path), Path(made["models"].path)


def test_train_scores_keeps_every_score(desk):
    board, models = learn_scores(desk, "scores")
    names = [*parse_study(STUDY).models.scores, "stack"]
    assert board["model"].tolist() == names
    assert desk["scores_board"].metadata == {
        "kind": "leaderboard",
        "part": "scores/2_1",
        "n_candidates": len(names),
        "display_name": "Candidates of scores/2_1",
    }
    assert desk["scores_models"].metadata == {
        "kind": "models",
        "part": "scores/2_1",
        "n_models": len(names),
        "display_name": "Models of scores/2_1",
    }
    assert {path.name for path in models.iterdir()} == set(board["key"])
    for row in board.itertuples():
        assert load_predictor(models / row.key).score_name == row.model


def test_a_study_without_scores_makes_none(desk, tmp_path):
    study = parse_study(STUDY + "transfer: {methods: [none]}\n")
    (tmp_path / "study.json").write_text(study.to_json())
    planned = dsl.Dataset(
        name="planned", uri=str(tmp_path / "study.json"), metadata=dict(desk["planned"].metadata)
    )
    board, models = learn_scores(desk, "no_scores", planned=planned)
    assert len(board) == 0
    assert list(board) == LEADERBOARD_COLUMNS
    assert list(models.iterdir()) == []


def make_board(desk, name, rows):
    """Write a leaderboard of rows (method, key's end, ED, VD)."""
    artifact = desk.new(name)
    candidates = [
        Candidate(f"2_1.{method}.{end}", "2_1", method, "target", "target_01", 3, "svm", 0, 0.9, vd, ed, 0.5)
        for method, end, ed, vd in rows
    ]
    tabulate(candidates).to_parquet(artifact.path)
    describe(artifact, LeaderboardFacts(part=name, n_candidates=len(candidates)))
    return artifact


def test_select_best_model_joins_the_leaderboards(desk):
    first = make_board(
        desk, "board_a", [("none", "a", 0.7, 0.5), ("none", "b", 0.7, 0.6), ("none", "c", 0.6, 0.9)]
    )
    second = make_board(desk, "board_b", [("deep_simple", "d", 0.5, 0.5)])
    third = make_board(
        desk, "board_s", [("score_transfer", "e", 0.9, 0.9), ("score_transfer", "f", 0.9, 0.8)]
    )
    empty = make_board(desk, "board_c", [])
    select_best_model.python_func(
        planned=desk["planned"],
        baselines=[first],
        scores=[third],
        transferred=[empty, second],
        selection=desk.new("selection"),
    )
    chosen = pd.read_parquet(desk.folder / "selection" / "chosen.parquet")
    assert chosen[["method", "key", "n_tied"]].to_numpy().tolist() == [
        ["none", "2_1.none.b", 2],
        ["deep_simple", "2_1.deep_simple.d", 1],
        ["score_transfer", "2_1.score_transfer.e", 2],
        ["chosen", "2_1.score_transfer.e", 1],
    ]
    assert desk["selection"].metadata == {
        "kind": "selection",
        "n_candidates": 6,
        "display_name": "Chosen models",
    }
    tied = pd.read_parquet(desk.folder / "selection" / "tied.parquet")
    assert tied["key"].tolist() == [
        "2_1.none.b",
        "2_1.none.a",
        "2_1.deep_simple.d",
        "2_1.score_transfer.e",
        "2_1.score_transfer.f",
    ]
    members = pd.read_parquet(desk.folder / "selection" / "members.parquet")
    assert members[["method", "key", "weight", "part"]].to_numpy().tolist() == [
        ["none", "2_1.none.b", 1.0, "baselines/2_1"],
        ["deep_simple", "2_1.deep_simple.d", 1.0, "transfer/svm"],
        ["score_transfer", "2_1.score_transfer.e", 1.0, "scores/2_1"],
        ["chosen", "2_1.score_transfer.e", 0.5, "scores/2_1"],
        ["chosen", "2_1.score_transfer.f", 0.5, "scores/2_1"],
    ]


def test_no_candidate_at_all_is_an_error(desk):
    empty = make_board(desk, "board_d", [])
    with pytest.raises(StudyError, match=r"'parts' has no candidate.*Relax the thresholds"):
        select_best_model.python_func(
            planned=desk["planned"], baselines=[empty], scores=[], transferred=[], selection=desk.new("none")
        )
    assert not (desk.folder / "none").exists()


def test_populations_that_change_places_are_told(desk):
    swapped = {
        "source_genotypes": desk["target_genotypes"],
        "target_genotypes": desk["source_genotypes"],
    }
    with pytest.raises(StudyError, match="'target_genotypes' has role 'target' where 'source' is due"):
        check_quality(desk, "2_1", **swapped)
    with pytest.raises(StudyError, match="'final_genotypes' has role 'final' where 'target' is due"):
        check_quality(desk, "2_1", target_genotypes=desk["final_genotypes"])


def test_fd_is_refused_where_labels_to_learn_from_are_due(desk):
    with pytest.raises(StudyError, match="'final_2_1' has role 'final' where 'learning' is due"):
        check_quality(desk, "2_1", phenotypes=desk["final_2_1"])
    with pytest.raises(StudyError, match="'final_2_2' has role 'final' where 'learning' is due"):
        desk.gather([desk["kept_2_1"], desk["final_2_2"]], [desk["panels_2_1"], desk["panels_2_2"]])
    with pytest.raises(StudyError, match="'final_genotypes' has role 'final' where 'source' is due"):
        train_source_models.python_func(
            planned=desk["planned"],
            family="ann",
            cohorts=mislabel(desk["cohorts"], kind="cohorts", phenotypes="2_1"),
            source_genotypes=desk["final_genotypes"],
            models=dsl.Model(name="m", uri=str(desk.folder / "m"), metadata={}),
        )


def test_another_kind_is_told(desk):
    with pytest.raises(StudyError, match=r"'source_genotypes' is no 'phenotypes'.*wrong in kind, role"):
        check_quality(desk, "2_1", phenotypes=desk["source_genotypes"])
    with pytest.raises(StudyError, match="'panels_2_1' is no 'leaderboard'"):
        select_best_model.python_func(
            planned=desk["planned"],
            baselines=[],
            scores=[desk["panels_2_1"]],
            transferred=[],
            selection=desk.new("wrong"),
        )
    bare = dsl.Dataset(name="bare", uri=str(desk.folder / "bare"), metadata={})
    with pytest.raises(StudyError, match="The artifact 'bare' is no 'genotypes'"):
        check_quality(desk, "2_1", source_genotypes=bare)


def test_a_task_reports_its_failure(desk, tmp_path, monkeypatch):
    monkeypatch.setenv(EVENTS_VARIABLE, str(tmp_path / "events.jsonl"))
    lost = mislabel(desk["planned"])
    lost.uri = str(tmp_path / "nosuch")
    outputs = {
        name: dsl.Dataset(name=name, uri=str(tmp_path / name), metadata={})
        for name in (*(f"{role}_genotypes" for role in ROLES), "alignment")
    }
    with pytest.raises(FileNotFoundError):
        prepare_genotypes.python_func(planned=lost, **outputs)
    began, failed = read_events(tmp_path / "events.jsonl")[0]
    assert (began["event"], failed["event"]) == ("began", "failed")
    assert failed["message"].startswith("FileNotFoundError: ")
    assert not failed["users"]
    assert "Traceback" in failed["trace"]


def test_facts_survive_metadata_that_kfp_adds():
    artifact = dsl.Dataset(name="x", uri="x", metadata=make_facts("final") | {"display_name": "x"})
    assert expect(artifact, GenotypesFacts, role="final", n_samples=1).population == "A"
    with pytest.raises(StudyError, match="n_samples 1 where 2 is due"):
        expect(artifact, GenotypesFacts, n_samples=2)
    with pytest.raises(StudyError, match="is no 'phenotypes'"):
        expect(artifact, PhenotypesFacts)
    assert issubclass(GenotypesFacts, ArtifactFacts)


def test_an_artifact_without_a_name_is_told_by_its_address():
    with pytest.raises(StudyError, match=r"The artifact 'gs://bucket/thing' is no 'genotypes'"):
        expect(dsl.Dataset(uri="gs://bucket/thing", metadata={}), GenotypesFacts)
