"""Files in buckets: read, written, kept and refused, against two stand-ins of Cloud Storage."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from genotransfer import storage
from genotransfer.errors import InputError
from genotransfer.formats.convert import convert, open_genotypes
from genotransfer.storage import cache, client, downloads
from tests.integration.support import make_cohort
from tests.storage_support import Fault

# The client library leaves the connection of a download that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
LARGE = 20 << 20  # sent in three parts


@pytest.fixture
def small_parts(monkeypatch):
    """Make a file of a megabyte a large one to download."""
    monkeypatch.setattr(downloads, "PART", 256 << 10)


def make_file(path, size=(1 << 20) + 77, seed=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    return path


@pytest.mark.parametrize("name", ["x", "a/b/c.txt", "sp ace/ü%2F#?&=+.txt", "a//b"])
@pytest.mark.parametrize("content", [b"", b"a\0\xff", b"z" * 70_000])
def test_bytes_come_back(stand, name, content):
    uri = stand.at(name)
    written = storage.write_bytes(uri, content, if_generation=0)
    assert storage.read_bytes(uri) == (content, written.generation)
    [listed] = storage.list_files(stand.at(""))
    assert (listed.uri, listed.size) == (uri, len(content))
    assert (listed.generation, listed.crc32c) == (written.generation, written.crc32c)
    assert abs(listed.updated.timestamp() - time.time()) < 60
    assert storage.fetch_file(uri).read_bytes() == content
    storage.delete_file(uri, written.generation)
    assert storage.list_files(stand.at("")) == []
    with pytest.raises(storage.AbsentError, match="there is no such file"):
        storage.read_bytes(uri)


def test_a_large_file_goes_and_comes_in_parts(stand, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "PART", 4 << 20)
    path, told, heard = make_file(tmp_path / "large.bed", LARGE + 77), [], []
    written = storage.upload_file(path, stand.at("d/large.bed"), progress=lambda *one: told.append(one))
    assert sum(one.startswith("PUT") for one in stand.wire.requests) == 3
    copy = storage.fetch_file(written.uri, progress=lambda *one: heard.append(one))
    assert copy.read_bytes() == path.read_bytes()
    assert copy.name == "large.bed"
    assert sum("alt=media" in one for one in stand.wire.requests) == 6
    assert told[-1] == heard[-1] == (20, 20, "MiB of large.bed")
    assert len(heard) == 6


def test_a_copy_is_used_until_the_file_changes(stand, tmp_path, small_parts):
    uri, first = stand.at("a.bed"), make_file(tmp_path / "1/a.bed")
    storage.upload_file(first, uri)
    before = storage.fetch_file(uri)
    came = stand.wire.down
    assert storage.fetch_file(uri) == before
    assert stand.wire.down - came < 5_000
    second = make_file(tmp_path / "2/a.bed", seed=2)
    storage.upload_file(second, uri)
    after = storage.fetch_file(uri)
    assert after.read_bytes() == second.read_bytes()
    assert before.read_bytes() == first.read_bytes(), "who has it open keeps what it was"


def test_a_copy_cut_short_on_disk_is_brought_again(stand, tmp_path):
    uri = storage.upload_file(make_file(tmp_path / "a.bed"), stand.at("a.bed")).uri
    copy = storage.fetch_file(uri)
    copy.chmod(0o644)
    os.truncate(copy, 100)
    assert storage.fetch_file(uri).read_bytes() == (tmp_path / "a.bed").read_bytes()


def test_old_copies_go_when_there_are_too_many(stand, tmp_path, monkeypatch):
    for at in range(3):
        storage.upload_file(make_file(tmp_path / f"{at}.bed", size=1000, seed=at), stand.at(f"{at}.bed"))
    old, used, new = (storage.fetch_file(stand.at(f"{at}.bed")) for at in range(3))
    hour = time.time() - 2 * cache.REST_S
    for copy in (old, used):
        os.utime(copy.parent, (hour, hour))
    storage.fetch_file(stand.at("1.bed"))
    monkeypatch.setenv("GENOTRANSFER_CACHE_GIB", "0.0000001")
    cache.trim_cache(stand.cache)
    assert not old.exists()
    assert used.exists(), "used today, though the limit is passed"
    assert new.exists()


def test_a_path_of_this_machine_is_left_alone(tmp_path):
    assert str(storage.fetch_file("a/b.txt")) == "a/b.txt"
    assert str(storage.fetch_fileset("../a")) == "../a"
    with storage.stage_output(tmp_path / "out") as path:
        assert path == tmp_path / "out"
    with pytest.raises(InputError, match="two slashes"):
        storage.fetch_file("gs:/bucket/name")


def read_all(genotypes):
    return genotypes.read(np.arange(genotypes.n_variants))


def upload_all(folder, stand, prefix):
    for path in folder.iterdir():
        storage.upload_file(path, stand.at(f"{prefix}/{path.name}"))


@pytest.mark.parametrize("form", ["plink", "bed", "oxford", "23andme"])
def test_genotypes_are_read_with_all_their_files(stand, tmp_path, form):
    made = make_cohort(tmp_path, "src", 20)
    name = {"plink": "chr21.b38", "bed": "chr21.b38.bed", "oxford": "a.b.gen", "23andme": "people"}[form]
    here = tmp_path / "files" / name
    convert(tmp_path / "src", here, to_format="plink" if form == "bed" else form)
    upload_all(here if form == "23andme" else here.parent, stand, "c" if form != "23andme" else "c/people")
    opened = open_genotypes(stand.at(f"c/{name}"), tmp_path / "scratch", reference=tmp_path / "src")
    local = open_genotypes(here, tmp_path / "again", reference=tmp_path / "src")
    assert opened.samples["iid"].tolist() == local.samples["iid"].tolist()
    assert sorted(opened.samples["iid"]) == sorted(made.samples["iid"])
    assert np.array_equal(read_all(opened), read_all(local))


def test_a_vcf_comes_with_its_index(stand, tmp_path):
    for name in ("a.vcf.gz", "a.vcf.gz.tbi", "a.vcf.gz.md5", "b.vcf.gz"):
        storage.write_bytes(stand.at(name), name.encode(), if_generation=0)
    found = storage.fetch_fileset(stand.at("a.vcf.gz"))
    assert sorted(one.name for one in found.parent.iterdir()) == ["a.vcf.gz", "a.vcf.gz.tbi"]
    assert (found.parent / "a.vcf.gz.tbi").read_bytes() == b"a.vcf.gz.tbi"
    assert storage.fetch_fileset(stand.at("b.vcf.gz")).read_bytes() == b"b.vcf.gz"


def test_a_fileset_follows_each_of_its_files(stand, tmp_path):
    make_cohort(tmp_path, "src", 20)
    for suffix in (".bed", ".bim", ".fam"):
        storage.upload_file(tmp_path / f"src{suffix}", stand.at(f"src{suffix}"))
    before = storage.fetch_fileset(stand.at("src"))
    fam = (tmp_path / "src.fam").read_text().replace("src0", "renamed")
    storage.write_bytes(stand.at("src.fam"), fam.encode(), if_generation=None)
    after = storage.fetch_fileset(stand.at("src"))
    assert after != before
    assert open_genotypes(after, tmp_path / "s").samples["iid"][0] == "renamed"
    assert storage.fetch_fileset(stand.at("src")) == after


def test_errors_name_the_address_and_the_remedy(stand, tmp_path):
    nowhere = "gs://bucket-that-is-not-there/x"
    for call in (
        lambda: storage.read_bytes(nowhere),
        lambda: storage.write_bytes(nowhere, b"1", if_generation=0),
        lambda: storage.write_bytes(nowhere, b"1", if_generation=None),
        lambda: storage.list_files(nowhere),
        lambda: storage.delete_file(nowhere, 3),
        lambda: storage.fetch_fileset(nowhere),
    ):
        with pytest.raises(storage.AbsentError, match=f"^{nowhere}.?: there is no bucket bucket-that-is"):
            call()
    storage.write_bytes(stand.at("a.bed"), b"1", if_generation=0)
    with pytest.raises(storage.AbsentError, match=r"a\.bim: there is no such file. A PLINK fileset is"):
        storage.fetch_fileset(stand.at("a"))
    with pytest.raises(InputError, match="names no file"):
        storage.read_bytes(stand.at(""))
    storage.write_bytes(stand.at("bad.bim"), b"21 rs1 0 x A C\n", if_generation=0)
    for suffix in ("bed", "fam"):
        storage.write_bytes(stand.at(f"bad.{suffix}"), b"1 1 0 0 0 -9\n", if_generation=0)
    with pytest.raises(InputError, match=f"^{stand.at('bad.bim')}, row 1: ") as caught:
        open_genotypes(stand.at("bad"), tmp_path / "s")
    assert str(stand.cache) not in str(caught.value)


def make_folder(folder):
    for name, size in (("a.txt", 10), ("s/b.bin", 70_000), ("s/t/c", 0), (".hidden", 3)):
        make_file(folder / name, size)
    return folder


def read_folder(folder):
    return {
        one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()
    }


def test_a_folder_goes_and_comes_whole(stand, tmp_path):
    folder = make_folder(tmp_path / "run")
    storage.upload_folder(folder, stand.at("runs/1"))
    into = storage.fetch_folder(stand.at("runs/1"), tmp_path / "back")
    assert read_folder(into) == read_folder(folder)
    before = {one.uri: one.generation for one in storage.list_files(stand.at("runs/"))}
    storage.upload_folder(folder, stand.at("runs/1"))
    assert before == {one.uri: one.generation for one in storage.list_files(stand.at("runs/"))}
    with pytest.raises(InputError, match="not empty"):
        storage.fetch_folder(stand.at("runs/1"), into)


def test_a_folder_that_was_broken_off_is_taken_up(stand, tmp_path):
    folder = make_folder(tmp_path / "run")
    storage.upload_file(folder / "s/b.bin", stand.at("runs/1/s/b.bin"))
    kept = storage.list_files(stand.at("runs/1/s/b.bin"))
    storage.upload_folder(folder, stand.at("runs/1"))
    assert storage.list_files(stand.at("runs/1/s/b.bin")) == kept
    assert read_folder(storage.fetch_folder(stand.at("runs/1"), tmp_path / "b")) == read_folder(folder)


def test_a_folder_does_not_go_over_another(stand, tmp_path):
    folder = make_folder(tmp_path / "run")
    storage.upload_folder(folder, stand.at("runs/1"))
    (folder / "a.txt").write_text("other")
    with pytest.raises(InputError, match=r"holds 1 other files, the first: a\.txt"):
        storage.upload_folder(folder, stand.at("runs/1"))


def test_a_folder_that_lost_a_file_is_refused(stand, tmp_path):
    storage.upload_folder(make_folder(tmp_path / "run"), stand.at("runs/1"))
    storage.delete_file(stand.at("runs/1/s/b.bin"))
    with pytest.raises(storage.DamagedError, match=r"runs/1/s/b\.bin: the folder is not as it was"):
        storage.fetch_folder(stand.at("runs/1"), tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_no_name_leads_out_of_a_folder(testbench, tmp_path):
    storage.write_bytes(testbench.at("f/../../evil"), b"1", if_generation=0)
    with pytest.raises(InputError, match="leads out of its folder"):
        storage.fetch_folder(testbench.at("f"), tmp_path / "into" / "f")
    assert list(tmp_path.rglob("evil")) == []


@pytest.mark.parametrize("what", ["flip", "cut"])
def test_a_byte_that_changes_on_the_wire_is_noticed(stand, tmp_path, what, small_parts):
    path = make_file(tmp_path / "a.bed")
    uri = storage.upload_file(path, stand.at("a.bed")).uri
    fault = Fault(b"bytes=0-", "down", 100_000, what)
    stand.wire.faults.append(fault)
    if what == "flip":
        with pytest.raises(storage.DamagedError, match="checksums differ"):
            storage.fetch_file(uri)
        assert list(stand.cache.rglob("a.bed")) == []
    else:
        assert storage.fetch_file(uri).read_bytes() == path.read_bytes()
    assert stand.wire.happened == [fault]
    assert storage.fetch_file(uri).read_bytes() == path.read_bytes()


SLOW = """
import sys
from genotransfer import storage
from genotransfer.storage import downloads
downloads.PART = 256 << 10
getattr(storage, sys.argv[1])(*sys.argv[2:])
"""


def start(stand, *arguments):
    return subprocess.Popen([sys.executable, "-c", SLOW, *arguments], env=os.environ | stand.environment)


def wait_for(what):
    for _ in range(600):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def test_a_download_that_was_killed_leaves_nothing(stand, tmp_path, small_parts):
    path = make_file(tmp_path / "a.bed")
    uri = storage.upload_file(path, stand.at("a.bed")).uri
    stand.wire.faults.append(Fault(b"bytes=0-", "down", 100_000, "hold"))
    process = start(stand, "fetch_file", uri)
    try:
        wait_for(lambda: stand.wire.happened)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [one for one in stand.cache.rglob("a.bed") if ".writing-" not in str(one)] == []
    assert list(stand.cache.rglob(".writing-*")), "it was killed while it wrote"
    assert storage.fetch_file(uri).read_bytes() == path.read_bytes()
    assert list(stand.cache.rglob(".writing-*")) == []


def test_an_upload_that_was_killed_leaves_nothing(stand, tmp_path):
    path = make_file(tmp_path / "a.bed", LARGE)
    stand.wire.faults.append(Fault(b"PUT /", "up", 100_000, "hold"))
    process = start(stand, "upload_file", str(path), stand.at("a.bed"))
    try:
        wait_for(lambda: stand.wire.happened)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    stand.wire.released.set()
    assert storage.list_files(stand.at("")) == []
    storage.upload_file(path, stand.at("a.bed"), if_generation=0)
    assert storage.fetch_file(stand.at("a.bed")).read_bytes() == path.read_bytes()


def test_processes_that_want_the_same_file_bring_it_once(stand, tmp_path):
    path = make_file(tmp_path / "a.bed", size=3 << 20)
    uri = storage.upload_file(path, stand.at("a.bed")).uri
    came = stand.wire.down
    processes = [start(stand, "fetch_file", uri) for _ in range(3)]
    assert [one.wait(60) for one in processes] == [0, 0, 0]
    assert 3 << 20 < stand.wire.down - came < 4 << 20
    assert storage.fetch_file(uri).read_bytes() == path.read_bytes()


def test_without_credentials_the_client_is_anonymous(monkeypatch, tmp_path):
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    client._make_client.cache_clear()
    assert type(client.get_client()._credentials).__name__ == "AnonymousCredentials"
    client._make_client.cache_clear()
