"""The compiled pipeline: its form, its size, and that only the final evaluation reads FD.

Renew the snapshot with `make snapshot`, and read the difference before committing it.
"""

import sys
import tempfile
from pathlib import Path

import yaml

from genotransfer.release import RELEASE_VARIABLE
from genotransfer.study_files import load_study
from pipelines.cli import STUDIES
from pipelines.compilation import compile_pipeline

SNAPSHOT = Path(__file__).parent / "transfer_study.yaml"


def compile_paper(folder):
    path = Path(folder) / "compiled.yaml"
    compile_pipeline(load_study(STUDIES / "paper.yaml"), path)
    return path


def normalise(text):
    """Drop what changes with every release: comments, KFP's version and the release."""
    pipeline, *_ = yaml.safe_load_all(text)
    pipeline.pop("sdkVersion")
    for executor in pipeline["deploymentSpec"]["executors"].values():
        container = executor["container"]
        container["image"], tag = container["image"].rsplit(":", 1)
        assert {one["name"]: one["value"] for one in container.pop("env")} == {RELEASE_VARIABLE: tag}
    return pipeline


def test_the_compiled_form_is_the_one_held(tmp_path):
    compiled = compile_paper(tmp_path)
    assert normalise(compiled.read_text()) == yaml.safe_load(SNAPSHOT.read_text())


def test_the_compiled_form_is_small_enough_for_a_cluster(tmp_path):
    assert compile_paper(tmp_path).stat().st_size < 300_000


FINAL_OUTPUTS = {
    ("comp-prepare-genotypes", "final_genotypes"),
    ("comp-prepare-phenotypes", "final_phenotypes"),
}


def find_consumers(pipeline, seeds):
    """Return (component, input) of every task that is handed an artifact in `seeds`.

    Walks the graph with its loops: an artifact passed into a loop or collected out of one keeps
    its mark. What a task makes of a marked artifact is not marked.
    """
    consumers = set()

    def walk(dag, marked_inputs):
        """Return the marked outputs of a DAG, given its marked inputs; repeat until nothing changes."""
        marked = {}  # task -> its marked outputs
        while True:
            before = {task: set(outputs) for task, outputs in marked.items()}
            for task, spec in dag["tasks"].items():
                component = spec["componentRef"]["name"]
                handed = set()
                for name, source in spec.get("inputs", {}).get("artifacts", {}).items():
                    sources = source.get("artifactSources", [source]) if source else []
                    for one in sources:
                        produced = one.get("taskOutputArtifact")
                        if produced:
                            is_marked = produced["outputArtifactKey"] in marked.get(
                                produced["producerTask"], set()
                            )
                        else:
                            is_marked = one["componentInputArtifact"] in marked_inputs
                        if is_marked:
                            handed.add(name)
                definition = pipeline["components"][component]
                if "dag" in definition:
                    marked.setdefault(task, set()).update(walk(definition["dag"], handed))
                else:
                    consumers.update((component, name) for name in handed)
                    outputs = definition.get("outputDefinitions", {}).get("artifacts", {})
                    marked.setdefault(task, set()).update(
                        output for output in outputs if (component, output) in seeds
                    )
            if marked == before:
                break
        outputs = dag.get("outputs", {}).get("artifacts", {})
        return {
            name
            for name, output in outputs.items()
            for selector in output["artifactSelectors"]
            if selector["outputArtifactKey"] in marked.get(selector["producerSubtask"], set())
        }

    walk(pipeline["root"]["dag"], set())
    return consumers


def test_only_the_final_evaluation_reads_fd(tmp_path):
    pipeline, *_ = yaml.safe_load_all(compile_paper(tmp_path).read_text())
    assert find_consumers(pipeline, FINAL_OUTPUTS) == {
        # The simulator, or the phenotype file, labels FD; what it hands on of FD is marked in turn.
        ("comp-prepare-phenotypes", "final_genotypes"),
        ("comp-evaluate-final", "final_genotypes"),
        ("comp-evaluate-final", "final_phenotypes"),
        # After the evaluation: its hash, and champion and challenger on the same people.
        ("comp-track-study", "final_genotypes"),
        ("comp-register-models", "final_genotypes"),
        ("comp-promote-models", "final_genotypes"),
    }


def test_nothing_that_chooses_reads_the_results_on_fd(tmp_path):
    pipeline, *_ = yaml.safe_load_all(compile_paper(tmp_path).read_text())
    consumers = find_consumers(
        pipeline, {("comp-evaluate-final", "results"), ("comp-evaluate-final", "metrics")}
    )
    assert consumers == {
        ("comp-show-performance", "results"),
        ("comp-write-report", "results"),
        ("comp-track-study", "results"),
        ("comp-register-models", "results"),
        ("comp-promote-models", "results"),
    }


def test_retraining_is_the_same_study_behind_a_condition(tmp_path):
    path = tmp_path / "retraining.yaml"
    compile_pipeline(load_study(STUDIES / "paper.yaml"), path, "retraining")
    assert path.stat().st_size < 300_000
    pipeline, *_ = yaml.safe_load_all(path.read_text())
    assert pipeline["pipelineInfo"]["name"] == "retraining"
    tasks = pipeline["root"]["dag"]["tasks"]
    assert set(tasks) == {"plan-retraining", "condition-1"}
    # What has landed is no input that Kubeflow knows of.
    assert "enableCache" not in tasks["plan-retraining"].get("cachingOptions", {})
    assert tasks["condition-1"]["triggerPolicy"]["condition"].endswith("== 'new'")
    inside = set(pipeline["components"]["comp-condition-1"]["dag"]["tasks"])
    assert {"measure-drift", "promote-models", "finish-retraining", "prepare-genotypes"} <= inside
    # Nothing but the final evaluation, and what comes after it, reads FD here either.
    readers = {name for name, _ in find_consumers(pipeline, FINAL_OUTPUTS)}
    assert readers == {
        "comp-prepare-phenotypes",
        "comp-evaluate-final",
        "comp-track-study",
        "comp-register-models",
        "comp-promote-models",
    }


def test_the_walk_finds_a_leak():
    """A task inside a loop that reads FD is found, however it is handed in."""
    pipeline = {
        "root": {
            "dag": {
                "tasks": {
                    "make": {"componentRef": {"name": "comp-prepare-genotypes"}},
                    "loop": {
                        "componentRef": {"name": "comp-loop"},
                        "inputs": {
                            "artifacts": {
                                "x": {
                                    "taskOutputArtifact": {
                                        "producerTask": "make",
                                        "outputArtifactKey": "final_genotypes",
                                    }
                                }
                            }
                        },
                    },
                }
            }
        },
        "components": {
            "comp-prepare-genotypes": {"outputDefinitions": {"artifacts": {"final_genotypes": {}}}},
            "comp-loop": {
                "dag": {
                    "tasks": {
                        "leak": {
                            "componentRef": {"name": "comp-train"},
                            "inputs": {"artifacts": {"d": {"componentInputArtifact": "x"}}},
                        }
                    }
                }
            },
            "comp-train": {},
        },
    }
    assert find_consumers(pipeline, FINAL_OUTPUTS) == {("comp-train", "d")}


if __name__ == "__main__" and sys.argv[1:] == ["--renew"]:
    with tempfile.TemporaryDirectory() as folder:
        SNAPSHOT.write_text(yaml.safe_dump(normalise(compile_paper(folder).read_text()), sort_keys=True))
