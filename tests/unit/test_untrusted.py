"""What somebody else made can neither run code, nor fill memory, nor end the process, nor leave its folder."""

import gzip
import io
import json
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from genotransfer.errors import InputError, StudyError
from genotransfer.formats import files
from genotransfer.formats.convert import open_genotypes
from genotransfer.genotypes import Genotypes
from genotransfer.models import archives
from genotransfer.models.checked_classifiers import check_classifier
from genotransfer.phenotypes import read_phenotype_table, read_phenotypes
from genotransfer.prediction.opened import load_bundle
from genotransfer.prediction.predict import predict_file
from genotransfer.prediction.summary import compose_summary
from genotransfer.simulation.genetic_map import read_genetic_map
from genotransfer.stages.commands import read_covariates
from genotransfer.study_files import load_study, parse_study
from genotransfer.summary import read_statistics
from tests.fuzz.model_readers import sign
from tests.fuzz.readers import GEN, GWAS, PERSON, SAMPLE, VCF
from tests.genotype_support import draw_dosages, list_folder, make_samples, make_variants
from tests.prediction_support import draw_people, make_bundle, make_table, write_people

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "row", "says"),
    [
        (LAUGHS, 2, "aliases are not read"),
        ("a: &a [*a]\n", 1, "aliases are not read"),
        ("name: x\nseed: 1\nname: y\n", 3, "'name' stands twice"),
        ("name: x\nsplits: {final: 1, final: 2}\n", 2, "'final' stands twice"),
        ("name: " + "[" * 3000, 1, "more than 40 deep"),
        ("name: x\nseed: " + "9" * 5000, None, "cannot be read"),
        ("name: !!binary aGk=\n", 1, "is not read"),
        ("name: !!python/object/apply:os.system [ls]\n", 1, "is not read"),
        ("name: x\ntraining: {learning_rate: .nan}\n", 2, "learning_rate"),
        ("name: x\ntraining: {learning_rate: .inf}\n", 2, "learning_rate"),
        ("name: x\n" + "#" * (1 << 20), None, "longer than"),
        ("name: ../x\n", 1, "name"),
        ("name: " + "x" * 300 + "\n", 1, "name"),
        ("{[1, 2]: 3}", 1, "key"),
    ],
)
def test_a_study_is_plain(tmp_path, text, row, says):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        load_study(path)
    assert caught.value.row == row
    assert len(str(caught.value)) < 1000
    with pytest.raises(StudyError):
        parse_study(text)


def test_a_date_is_text_and_a_wrong_override_is_told(tmp_path):
    assert parse_study("name: 2022-11-15").name == "2022-11-15"
    (tmp_path / "x.yaml").write_text("name: x\n")
    with pytest.raises(StudyError, match="is no YAML"):
        load_study(tmp_path / "x.yaml", ["seed=[1"])


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_LINE", 1000)
    path = tmp_path / "x.gen.gz"
    path.write_bytes(gzip.compress(GEN[:-1] + b" 0" * 2000))
    (tmp_path / "x.sample").write_bytes(SAMPLE)
    before = list_folder(tmp_path)
    with pytest.raises(InputError, match="longer than") as caught:
        open_genotypes(path, tmp_path / "out")
    assert caught.value.row == 3
    assert list_folder(tmp_path) == before


@pytest.mark.parametrize("reader", ["phenotypes", "statistics", "23andme", "reference"])
def test_a_small_file_that_unpacks_to_a_large_one_is_refused(tmp_path, monkeypatch, reader):
    monkeypatch.setattr(files, "MOST_UNPACKED", 1 << 20)
    path = tmp_path / "x.txt.gz"
    path.write_bytes(gzip.compress(b"a b\n" * (1 << 20), 9))
    read = {
        "phenotypes": lambda: read_phenotypes(path, "b"),
        "statistics": lambda: read_statistics(path, form="table"),
        "23andme": lambda: open_genotypes(path, tmp_path / "out", reference=make_variants(2)),
        "reference": lambda: read_genetic_map(path),
    }[reader]
    with pytest.raises(InputError, match="as no table does"):
        read()


# Found by fuzzing; each made as small as it can be.
VCF_FOUND = {
    "a blank row": (VCF.replace(b"\n1\t9", b"\n\n1\t9"), "1 columns where the header has 12"),
    "an unknown contig and a garbled genotype": (
        VCF.replace(b"##contig=<ID=chr2>\n", b"").replace(
            b"c\tt\t3\t.\t.\tGT\t1\t", b"c\tt\t3\t.\t.\tGT\tx\t"
        ),
        "the record cannot be read",
    ),
    "no chromosome": (VCF.replace(b"\n1\t9", b"\n\t9"), "is no chromosome"),
    "no number": (VCF.replace(b"\n1\t9", b"\n1\t" + b"9" * 30), "is no position"),
    "a header among the records": (VCF.replace(b"\n1\t9", b"\n##contig=<ID=1>\n1\t9"), "1 columns where"),
    "a zero byte": (VCF.replace(b"rs1", b"r\0s"), "zero byte"),
}


@pytest.mark.parametrize("name", VCF_FOUND)
def test_a_vcf_that_would_end_the_process_is_refused(tmp_path, name):
    content, says = VCF_FOUND[name]
    assert content != VCF
    (tmp_path / "x.vcf").write_bytes(content)
    with pytest.raises(InputError, match=says):
        open_genotypes(tmp_path / "x.vcf", tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["x.vcf"]


def test_a_vcf_without_contigs_is_read_as_before(tmp_path):
    for name, content in (("a", VCF), ("b", VCF.replace(b"##contig=<ID=chr2>\n", b""))):
        (tmp_path / f"{name}.vcf").write_bytes(content)
    one, two = (open_genotypes(tmp_path / f"{name}.vcf", tmp_path / name) for name in "ab")
    assert one.hash_contents() == two.hash_contents()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b":2:0.25", b":-2:0.25", "LP is -2"),
        (b"0.25:900", b"1.25:900", "AF is 1.25"),
        (b"0.25:900", b"0.25:-9", "SS is -9"),
        (b"<ID=ES,Number=A,Type=Float", b"<ID=ES,Number=1,Type=String", "ES is declared as text"),
    ],
)
def test_statistics_of_a_vcf_are_within_their_bounds(tmp_path, old, new, says):
    assert GWAS.count(old) == 1
    (tmp_path / "x.vcf").write_bytes(GWAS.replace(old, new))
    with pytest.raises(InputError, match=says):
        read_statistics(tmp_path / "x.vcf")


def test_what_else_fuzzing_found_in_tables(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("IID,y\na," + "x" * 140_000 + "\nb,1\n")
    with pytest.raises(InputError, match="field larger than"):
        read_phenotypes(path, "y")
    packed = bytearray(gzip.compress(b"IID y\na 0\nb 1\n"))
    packed[10] ^= 0xFF
    (tmp_path / "x.tsv.gz").write_bytes(packed)
    with pytest.raises(InputError, match="gzip file is damaged"):
        read_phenotypes(tmp_path / "x.tsv.gz", "y")
    path.write_text("FID\tIID\tphenotype\tvalue\tvalue\n0\ta\t1\t1\t1\n")
    with pytest.raises(InputError, match="2 columns are named 'value'"):
        read_phenotype_table(path)
    path.write_bytes(PERSON + b"\x1c\n")
    with pytest.raises(InputError, match="0 columns where 4 are due"):
        open_genotypes(path, tmp_path / "out", from_format="23andme", reference=make_variants(2))
    path.write_text("id,effect_allele,other_allele,beta,se\nrs1,A,A,1,1\n")
    with pytest.raises(InputError, match=r"x\.csv: no variant is left"):
        read_statistics(path)
    path.write_text("id,effect_allele,other_allele,beta,se,n\nrs1,A,C,1,1,inf\n")
    with pytest.raises(InputError, match="is not within 0 and 1e"):
        read_statistics(path)


@pytest.mark.parametrize(
    "text", ["IID\na\n", "\xff", "IID,x\na,1\na,2\n", "IID,x\na,inf\n", "x,y\n1,2,3\n", "IID,x\na,1,2\n"]
)
def test_covariates_that_are_none_are_refused(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"x\.csv") if text != "IID\na\n" else pytest.raises(InputError):
        read_covariates(path, pd.Series(["a", "b"]))


def test_an_id_with_a_quote_is_read_as_it_was_written(tmp_path):
    variants, samples = make_variants(3), make_samples(2)
    variants.loc[1, "id"], samples.loc[0, "iid"] = 'r"s', '"i'
    made = Genotypes.from_dosages(tmp_path / "x", draw_dosages(2, 3), variants, samples)
    assert made.variants["id"][1] == 'r"s'
    assert made.samples["iid"][0] == '"i'


def test_positions_beyond_any_genome_are_refused(tmp_path):
    Genotypes.from_dosages(tmp_path / "x", draw_dosages(2, 3), make_variants(3), make_samples(2))
    bim = (tmp_path / "x.bim").read_text()
    (tmp_path / "x.bim").write_text(bim.replace("\t1007\t", "\t1e30\t"))
    with pytest.raises(InputError, match="'1e30' is no whole number") as caught:
        Genotypes.open(tmp_path / "x")
    assert caught.value.row == 2


def test_a_lambda_layer_is_refused_before_keras_makes_it(tmp_path):
    """A real .keras file whose layer writes a file when it is made or run."""
    import keras

    mark = tmp_path / "ran"
    inputs = keras.Input((9,))
    code = keras.layers.Lambda(eval("lambda x, where=%r: (open(where, 'w').close(), x)[1]" % str(mark)))  # noqa: UP031
    outputs = keras.layers.Dense(2, name="logits")(code(inputs))
    mark.unlink(missing_ok=True)
    model = keras.Model(inputs, outputs)
    mark.unlink(missing_ok=True)
    archives.write_keras(model, tmp_path / "x.keras")
    with pytest.raises(InputError, match=r"keras\.layers\.Lambda, which no network here is made of"):
        archives.read_keras(tmp_path / "x.keras", 9)
    with pytest.raises(Exception, match="Lambda"):  # and Keras itself, in the mode it is called in
        keras.models.load_model(tmp_path / "x.keras", compile=False, safe_mode=True)
    assert not mark.exists()


def plant_class(path, old, new):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    text = members[archives.CONFIG].decode()
    assert old in text
    members[archives.CONFIG] = text.replace(old, new, 1).encode()
    archives.write_members(path, members)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"class_name": "Dense"', '"class_name": "TorchModuleWrapper"', "TorchModuleWrapper"),
        (
            '"module": "keras.layers", "class_name": "Dense"',
            '"module": "os", "class_name": "system"',
            r"os\.system",
        ),
        ('"units": 30', '"units": 1000000000', "units is 1000000000"),
        ('"batch_shape": [null, 9]', '"batch_shape": [null, 999999999]', "batch_shape"),
    ],
)
def test_a_network_of_other_parts_is_refused(tmp_path, old, new, says):
    from genotransfer.models.networks import build_network

    archives.write_keras(build_network("ann_1", 9, seed=1), tmp_path / "x.keras")
    plant_class(tmp_path / "x.keras", old, new)
    with pytest.raises(InputError, match=says):
        archives.read_keras(tmp_path / "x.keras", 9)


def test_a_skops_file_that_would_run_a_command_is_refused(tmp_path):
    """A real file: a transformer of skops's own list around os.system, which is none of it."""
    import os

    path = tmp_path / "x.skops"
    skops.io.dump(FunctionTransformer(os.system), path)
    with pytest.raises(InputError, match=r"not trusted: .*system"):
        archives.read_skops(path)
    skops.io.dump(FunctionTransformer(), path)
    with pytest.raises(InputError, match="FunctionTransformer, no classifier"):
        archives.read_skops(path)


def plant_operator(path):
    """Write what skops makes of operator.attrgetter: a function that is called when the file is read."""
    import operator

    skops.io.dump({"x": operator.attrgetter("system")}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    text = members["schema.json"].decode()
    assert "attrgetter" in text
    members["schema.json"] = text.replace("attrgetter", "call").encode()
    archives.write_members(path, members)


def test_a_skops_file_with_an_operator_is_refused(tmp_path):
    plant_operator(tmp_path / "x.skops")
    with pytest.raises(InputError, match=r"not trusted|cannot read"):
        archives.read_skops(tmp_path / "x.skops")


def test_an_archive_that_unpacks_to_far_more_than_it_is_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1 << 16)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(archives.SKOPS_SCHEMA, b"0" * (1 << 22))
    (tmp_path / "x.skops").write_bytes(packed.getvalue())
    with pytest.raises(InputError, match="it unpacks to"):
        archives.read_skops(tmp_path / "x.skops")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("left_child", 10_000, "child is not there"),
        ("left_child", 0, "child is not there"),
        ("feature", 10_000, "feature is not there"),
        ("feature", -7, "feature is not there"),
    ],
)
def test_a_tree_that_reads_beyond_its_tables_is_refused(field, value, says):
    values = np.random.default_rng(1).normal(size=(30, 4)).astype(np.float32)
    fitted = DecisionTreeClassifier(random_state=1).fit(values, (values[:, 0] > 0).astype(np.int8))
    check_classifier(fitted)
    state = fitted.tree_.__getstate__()
    nodes = state["nodes"].copy()
    nodes[field][0] = value
    fitted.tree_.__setstate__({**state, "nodes": nodes})
    with pytest.raises(ValueError, match=says):
        check_classifier(fitted)


def test_a_bundle_stays_within_its_folder(tmp_path):
    folder = tmp_path / "bundle"
    make_bundle(folder)
    (tmp_path / "private").write_text("private")
    (folder / "models" / "note").symlink_to(tmp_path / "private")
    with pytest.raises(InputError, match="no links"):
        load_bundle(folder)
    (folder / "models" / "note").unlink()
    facts = json.loads((folder / "bundle.json").read_text())
    for name in ("../private", "/etc/passwd", "models/../../private", ".."):
        changed = {**facts, "sha256": facts["sha256"] | {name: "0" * 64}}
        (folder / "bundle.json").write_text(json.dumps(changed))
        with pytest.raises(InputError, match="no file within the bundle"):
            load_bundle(folder)


def test_tables_of_a_bundle_are_of_their_kinds(tmp_path):
    folder = tmp_path / "bundle"
    make_bundle(folder)
    table = pd.read_parquet(folder / "variants.parquet")
    for changed in (table.assign(position="x"), table.assign(id=None), table.assign(frequency="x")):
        changed.to_parquet(folder / "variants.parquet", index=False)
        sign(folder)
        with pytest.raises(InputError, match="values of another kind"):
            load_bundle(folder)


def test_words_of_a_bundle_are_no_markup(tmp_path):
    table = make_table()
    bundle = make_bundle(tmp_path / "bundle", study="<script>alert(1)</script>", source="[x](http://y)")
    write_people(tmp_path / "people", table, draw_people(table, 3))
    page = "\n".join(compose_summary(predict_file(bundle, tmp_path / "people")))
    assert "<script>" not in page
    assert "&lt;script>" in page
    assert "[x](http" not in page.replace("\\[", "")


def test_no_escape_of_a_terminal_is_printed(monkeypatch, capsys, tmp_path):
    from pipelines import cli

    monkeypatch.setattr(sys, "argv", ["genotransfer", "convert", f"{tmp_path}/x\x1b]0;owned\x07.vcf", "y"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "\x1b]0;" not in said
    assert "\\x1b]0;owned" in said


def test_a_table_of_one_word_a_million_times_is_refused(tmp_path, monkeypatch):
    from genotransfer.prediction import facts

    monkeypatch.setattr(facts, "MOST_BYTES", 1 << 22)
    pd.DataFrame({"id": ["x" * 100_000] * 5_000}).to_parquet(tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 1 << 20
    with pytest.raises(InputError, match="unpacks to more than"):
        facts.read_bundle_table(tmp_path / "a.parquet")


def test_a_network_of_too_many_layers_is_refused(tmp_path):
    dense = {
        "module": "keras.layers",
        "class_name": "Dense",
        "registered_name": None,
        "config": {"units": 1000},
    }
    whole = {"layers": [dense] * 5_000}
    with zipfile.ZipFile(tmp_path / "a.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(whole))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", b"")
    assert (tmp_path / "a.keras").stat().st_size < 10_000
    with pytest.raises(ValueError, match="more than any network here"):
        archives.check_layers(tmp_path / "a.keras", 3)
