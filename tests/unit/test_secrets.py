"""`find_secret` finds what is planted however it is packed; compiled pipelines hold nothing of the surroundings."""

import base64
import gzip
import io
import sqlite3
import tarfile
import zipfile
from urllib.parse import quote

import pytest

from genotransfer.errors import InputError, StudyError
from genotransfer.study_files import load_study, parse_study
from pipelines.cli import STUDIES
from pipelines.compilation import compile_pipeline, write_manifests
from tests.pipelines.test_placement import PLACED
from tests.secrets_support import find_secret

SECRET = "s3cret/of me+you"
VARIABLES = (
    "KFP_TOKEN",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
)


def pack_zip(data):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.txt", data)
    return packed.getvalue()


def pack_tar(data):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        about = tarfile.TarInfo("inside.txt")
        about.size = len(data)
        archive.addfile(about, io.BytesIO(data))
    return packed.getvalue()


@pytest.mark.parametrize(
    "write",
    [
        lambda data: b"some text " + data + b" more",
        gzip.compress,
        pack_zip,
        pack_tar,
        lambda data: pack_tar(gzip.compress(pack_zip(data))),
        lambda data: quote(data.decode(), safe="").encode(),
        *(lambda data, at=at: base64.b64encode(b"me:"[:at] + data + b"&"[:at]) for at in range(3)),
    ],
)
def test_a_planted_secret_is_found(tmp_path, write):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "sound.txt").write_bytes(b"nothing here")
    (tmp_path / "a" / "file").write_bytes(write(SECRET.encode()))
    [(place, secret), *_] = find_secret(tmp_path, [SECRET, "another"])
    assert place.startswith(str(tmp_path / "a" / "file"))
    assert secret == SECRET


def test_secrets_in_names_links_and_databases_are_found(tmp_path):
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("create table params (value text)")
        database.execute("insert into params values (?)", [SECRET])
    database.close()
    (tmp_path / "n4med").touch()
    (tmp_path / "link").symlink_to("/nowhere/l1nked")
    found = find_secret(tmp_path, [SECRET, "n4med", "l1nked", "absent"])
    assert [secret for _, secret in found] == [SECRET, "l1nked", "n4med"]


@pytest.mark.parametrize("kind", ["study", "retraining"])
def test_nothing_of_the_surroundings_is_compiled_in(tmp_path, monkeypatch, kind):
    for name in VARIABLES:
        monkeypatch.setenv(name, "pl4nted-secret")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:pl4nted-secret@host")
    (tmp_path / "key.json").write_text('{"private_key": "pl4nted-key"}')
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    study = load_study(STUDIES / "paper.yaml", PLACED)
    compile_pipeline(study, tmp_path / "out" / "a.yaml", kind)
    write_manifests(study, tmp_path / "out" / "b", kind)
    assert (tmp_path / "out" / "a.yaml").stat().st_size > 10_000
    assert find_secret(tmp_path / "out", ["pl4nted-secret", "pl4nted-key"]) == []


@pytest.mark.parametrize("setting", ["tracking.uri", "cluster.mlflow_uri", "cluster.endpoint"])
def test_an_address_with_a_password_is_no_setting_and_is_not_repeated(setting):
    with pytest.raises(InputError, match="holds a user or password") as caught:
        load_study(STUDIES / "demo.yaml", [f"{setting}=https://me:pl4nted@host/mlflow"])
    assert "pl4nted" not in str(caught.value)
    group, key = setting.split(".")
    with pytest.raises(StudyError) as caught:
        parse_study(f"{{name: x, {group}: {{{key}: 'https://me:pl4nted@host'}}}}")
    assert "pl4nted" not in str(caught.value)
