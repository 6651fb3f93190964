"""Studies and commands whose files are in buckets: the same results as with files of this machine."""

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from genotransfer import storage
from genotransfer.errors import InputError
from genotransfer.formats.convert import open_genotypes
from genotransfer.simulation.panel import load_shipped_panel
from genotransfer.stages import genotypes as stage
from genotransfer.study_files import load_study, parse_study
from pipelines.cli import app
from pipelines.publishing import check_places
from tests.integration.stages import run_stages
from tests.integration.support import COHORTS, make_cohort, run_cli
from tests.integration.test_cohorts import cohorts  # noqa: F401 - the same run, made once


def upload_all(folder, stand, prefix):
    for path in folder.iterdir():
        if path.is_file():
            storage.upload_file(path, stand.at(f"{prefix}/{path.name}"))


def invoke(*arguments):
    """Run the command line in this process; raise what it raises."""
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_a_study_in_a_bucket_runs_and_is_published(emulator, cohorts, tmp_path):  # noqa: F811
    upload_all(cohorts, emulator, "data")
    folder = emulator.at("data")
    arguments = ["run", f"{folder}/study.yaml", "--set", f"genotypes.folder={folder}"]
    arguments += ["--publish", emulator.at("published/")]
    done = run_cli(*arguments, cwd=tmp_path, **emulator.environment)
    assert done.returncode == 0, done.stderr
    run = (tmp_path / "runs/latest").resolve()
    assert f"Published: {emulator.at('published')}/{run.name}" in done.stdout
    ours, due = (pd.read_csv(one / "results.csv") for one in (run, cohorts / "runs/latest"))
    pd.testing.assert_frame_equal(ours, due)
    back = storage.fetch_folder(emulator.at(f"published/{run.name}"), tmp_path / "back")
    for name in ("report.html", "results.csv", "study.yaml", "log.txt"):
        assert (back / name).read_bytes() == (run / name).read_bytes()
    assert yaml.safe_load((back / "study.yaml").read_text())["genotypes"]["folder"] == folder
    assert "MiB of src.bed" in (run / "events.jsonl").read_text()


def test_an_error_in_a_bucket_is_told_before_the_run(emulator, tmp_path):
    storage.write_bytes(emulator.at("study.yaml"), b"name: a\nsede: 1\n", if_generation=0)
    done = run_cli("run", emulator.at("study.yaml"), cwd=tmp_path, **emulator.environment)
    assert done.returncode == 2
    assert f"{emulator.at('study.yaml')}, row 2: unknown key 'sede'. Did you mean 'seed'" in done.stderr
    with pytest.raises(storage.AbsentError, match=f"^{emulator.at('none.yaml')}: there is no such file"):
        invoke("run", emulator.at("none.yaml"))
    with pytest.raises(InputError, match="there is no bucket"):
        check_places(tmp_path, "gs://bucket-that-is-not-there/a")
    with pytest.raises(InputError, match="wants an address"):
        check_places(tmp_path, "/a/b")
    with pytest.raises(InputError, match="Send the run there with --publish"):
        check_places(type(tmp_path)("gs://a/b"), None)


def test_associate_reads_and_writes_buckets(stand, tmp_path):
    make_cohort(tmp_path, "src", 90)
    table = pd.read_csv(tmp_path / "src.tsv", sep="\t")
    table[["FID", "IID"]].assign(age=range(90)).to_csv(tmp_path / "covar.tsv", sep="\t", index=False)
    upload_all(tmp_path, stand, "d")
    for prefix, out in (
        (str(tmp_path), str(tmp_path / "here.tsv")),
        (stand.at("d"), stand.at("out/away.tsv")),
    ):
        arguments = ["--bfile", f"{prefix}/src", "--pheno", f"{prefix}/src.tsv", "--pheno-name", "sick"]
        arguments += ["--covar", f"{prefix}/covar.tsv", "--test", "logistic", "--out", out]
        assert f"{out}: 60 rows; 45 cases, 45 controls" in invoke("associate", *arguments)
    assert storage.read_bytes(stand.at("out/away.tsv"))[0] == (tmp_path / "here.tsv").read_bytes()


@pytest.mark.parametrize(
    ("name", "more", "files"),
    [
        ("out", [], ["out.bed", "out.bim", "out.fam"]),
        ("a.gen", [], ["a.gen", "a.sample"]),
        ("people", ["--to", "23andme"], None),
    ],
)
def test_convert_reads_and_writes_buckets(stand, tmp_path, name, more, files):
    made = make_cohort(tmp_path, "src", 12)
    upload_all(tmp_path, stand, "d")
    said = invoke("convert", stand.at("d/src"), stand.at(f"to/{name}"), *more)
    assert f"{stand.at(f'to/{name}')}: 12 samples" in said
    there = [one.uri.removeprefix(stand.at("to/")) for one in storage.list_files(stand.at("to/"))]
    assert there == (files or sorted(f"people/{one}.txt" for one in made.samples["iid"]))
    back = ["convert", stand.at(f"to/{name}"), tmp_path / "back", "--reference", stand.at("d/src.bim")]
    invoke(*back)
    back, due = open_genotypes(tmp_path / "back", tmp_path / "s"), made
    order = back.locate_samples(due.samples["iid"])
    assert (back.select(samples=order).read(slice(None)) == due.read(slice(None))).all()


def test_a_failed_conversion_writes_nothing(stand, tmp_path):
    with pytest.raises(storage.AbsentError, match=f"^{stand.at('none')}.bed: there is no such file"):
        invoke("convert", stand.at("none"), stand.at("to/out"))
    assert storage.list_files(stand.at("to/")) == []


def test_an_own_panel_is_read_from_a_bucket(stand, tmp_path):
    panel = load_shipped_panel("CEU")
    keep = panel.variants.iloc[:40]
    legend = pd.DataFrame(
        {
            "rs": keep["id"],
            "position": keep["position"],
            "X0": keep["other"],
            "X1": keep["counted"],
        }
    )
    legend.to_csv(tmp_path / "a.legend", sep=" ", index=False)
    (tmp_path / "a.hap").write_text("\n".join("0 1 0 1 1 0" for _ in range(40)) + "\n")
    (tmp_path / "a.map").write_text(
        "position COMBINED_rate(cM/Mb) Genetic_Map(cM)\n1 1.0 0.0\n50000000 1.0 50.0\n"
    )
    upload_all(tmp_path, stand, "panels")

    def load(folder):
        files = {"hap": f"{folder}/a.hap", "legend": f"{folder}/a.legend", "map": f"{folder}/a.map"}
        text = yaml.safe_dump(
            {"name": "a", "genotypes": {"haplotypes": {"CEU": files | {"chromosome": "21"}}}}
        )
        return stage._load_panel(parse_study(text).genotypes, "CEU")

    away, here = load(stand.at("panels")), load(tmp_path)
    pd.testing.assert_frame_equal(away.variants, here.variants)
    assert (away.haplotypes == here.haplotypes).all()


def test_statistics_and_their_reference_are_read_from_a_bucket(stand, tmp_path):
    make_cohort(tmp_path, "src", 90)
    make_cohort(tmp_path, "tgt", 70)
    bim = pd.read_csv(tmp_path / "src.bim", sep="\t", header=None, dtype=str)
    table = pd.DataFrame(
        {
            "id": bim[1],
            "chromosome": bim[0],
            "position": bim[3],
            "counted": bim[4],
            "other": bim[5],
            "beta": 0.1,
            "se": 0.05,
            "p": 0.045,
        }
    )
    table.to_csv(tmp_path / "stats.tsv", sep="\t", index=False)
    upload_all(tmp_path, stand, "d")
    raw = yaml.safe_load(COHORTS)
    raw["genotypes"]["source"] = {"statistics": "stats.tsv", "reference": "src", "format": "table"}
    raw["genotypes"]["source"] |= {"samples": 500, "columns": {one: one for one in table.columns}}
    raw["models"], raw["transfer"] = {"scores": ["clumping"]}, {"methods": ["none", "score_transfer"]}
    del raw["panels"]
    written = {}
    for name, folder in (("here", str(tmp_path)), ("away", stand.at("d"))):
        raw["genotypes"]["folder"] = folder
        study = parse_study(yaml.safe_dump(raw))
        folders = {role: str(tmp_path / name / role) for role in ("source", "target", "final")}
        made = stage.prepare_genotypes(study, folders, tmp_path / name / "alignment")
        written[name] = (made, (tmp_path / name / "source/statistics.parquet").read_bytes())
    assert written["here"] == written["away"]


def test_a_study_file_is_read_as_it_stands(stand, tmp_path):
    storage.write_bytes(stand.at("a/study.yaml"), COHORTS.encode(), if_generation=0)
    (tmp_path / "study.yaml").write_text(COHORTS)
    assert load_study(stand.at("a/study.yaml")) == load_study(tmp_path / "study.yaml")
    study = load_study(stand.at("a/study.yaml"), [f"genotypes.folder={stand.at('d')}"])
    with pytest.raises(storage.AbsentError, match=f"^{stand.at('d/src')}.bed: there is no such file"):
        run_stages(study, tmp_path / "run", None)
