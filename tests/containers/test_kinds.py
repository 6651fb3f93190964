"""Studies of the other kinds in containers and in processes: equal results, down to the bytes."""

import pytest
import yaml

from tests.containers.conftest import make_place
from tests.integration.support import run_cli
from tests.integration.test_exome_cnn import SMALL, TINY

pytestmark = pytest.mark.containers

EXOME = {"pipeline": "exome-cnn"} | TINY | SMALL | {"protocols": ["honest", "published"]}
EXOME |= {"sweep": {"forms": ["2d"], "filters": [4], "batch_sizes": [64], "layers": [[8]]}}
COMPARISON = {
    "pipeline": "comparison",
    "name": "tiny",
    "genotypes": {"max_variants": 60},
    "phenotypes": {"preset": "additive", "heritability": 0.8, "risk_snps": [2], "iterations": 1},
    "people": {"source": 60, "target": 60},
    "folds": {"outer": 3, "inner": 2},
    "models": [
        {
            "name": "logistic",
            "kind": "logistic",
            "search": {"kind": "grid", "space": {"associated__n_variants": [2, 10]}},
        },
        {"name": "transfer", "kind": "transfer", "network": "cnn_1d", "selection": {"associated": 10}},
        {"name": "score", "kind": "score", "score": "clumping", "selection": {"associated": None}},
    ],
}
SAME = {
    "exome-cnn": ("results.csv", "optimism.csv", "curves.parquet", "predictions.parquet", "study.yaml"),
    "comparison": (
        "results.csv",
        "predictions.csv",
        "tables/pairs.csv",
        "tables/published.csv",
        "study.yaml",
    ),
}


@pytest.mark.parametrize("study", [EXOME, COMPARISON], ids=lambda study: study["pipeline"])
def test_results_are_those_of_processes_byte_for_byte(docker_client, tmp_path, study):
    kind = study["pipeline"]
    folders = []
    for how in ([], ["--containers"]):
        (tmp_path / str(len(folders))).mkdir()
        folder = make_place(tmp_path / str(len(folders)), yaml.safe_dump(study))
        done = run_cli("run", "study.yaml", *how, cwd=folder)
        assert done.returncode == 0, done.stderr
        folders.append((folder / "runs/latest").resolve())
    processes, containers = folders
    for name in SAME[kind]:
        assert (containers / name).read_bytes() == (processes / name).read_bytes(), name
    assert (containers / "report.html").stat().st_size > 50_000
