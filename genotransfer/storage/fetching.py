"""Files, filesets and folders of buckets, brought here for programs that read paths."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from genotransfer.errors import InputError
from genotransfer.events import Progress
from genotransfer.formats.files import replace_together
from genotransfer.storage.cache import find_cache, keep_file, keep_together
from genotransfer.storage.downloads import download_file, run_together, take_current
from genotransfer.storage.errors import AbsentError, DamagedError, name_remote
from genotransfer.storage.names import StoredFile, is_remote, join_uri, name_last, split_file
from genotransfer.storage.remote import list_remote

PLINK = (".bed", ".bim", ".fam")
BESIDE = {  # suffix: what else belongs to the file, put for the suffix or behind the name
    ".gen": (".sample",),
    ".gen.gz": (".sample",),
    ".vcf": (),
    ".vcf.gz": (".vcf.gz.tbi", ".vcf.gz.csi"),
    ".vcf.bgz": (".vcf.bgz.tbi", ".vcf.bgz.csi"),
    ".bcf": (".bcf.csi",),
    ".txt": (),
    ".txt.gz": (),
}
LIST = "genotransfer-files.json"  # what `upload_folder` writes last


def fetch_file(uri: str | Path, cache: str | Path | None = None, *, progress: Progress | None = None) -> Path:
    """Return a path on this machine at which a file can be read.

    Parameters
    ----------
    uri : ``gs://bucket/name``; any other path is returned as it is.
    cache : folder of the copies, see `genotransfer.storage.cache`.
    progress : told the MiB that have arrived.

    Raises
    ------
    AbsentError, DamagedError, UnreachableError, InputError
        There is no such file or bucket; it does not add up; no answer; no credentials or no permission.
    """
    if not is_remote(uri):
        return Path(uri)
    return _fetch(str(uri), find_cache(cache), progress)[1]


def fetch_fileset(
    prefix: str | Path, cache: str | Path | None = None, *, progress: Progress | None = None
) -> Path:
    """Return a path on this machine at which genotypes can be read, with all files that belong to them.

    Parameters
    ----------
    prefix : as `genotransfer.formats.convert.open_genotypes` takes it: a PLINK prefix or one of its files; a
        .gen with its .sample beside it; a .vcf or .bcf with its index where there is one; a 23andMe
        .txt or a folder of them. What is not in a bucket is returned as it is.
    cache, progress, Raises : see `fetch_file`.
    """
    if not is_remote(prefix):
        return Path(prefix)
    uri, folder = str(prefix).rstrip("/"), find_cache(cache)
    suffix = _find_suffix(uri)
    if suffix in BESIDE:
        stem = uri[: len(uri) - len(suffix)]
        there = {one.uri for one in list_remote(stem)} if BESIDE[suffix] else set()
        wanted = [uri, *(stem + other for other in BESIDE[suffix] if stem + other in there)]
        return _fetch_set(wanted, folder, progress) / name_last(uri)
    stem = uri[: -len(suffix)] if suffix else uri
    there = {one.uri for one in list_remote(f"{stem}.")}
    if not suffix and not there.intersection(stem + one for one in PLINK):
        people = [one.uri for one in list_remote(f"{uri}/") if _find_suffix(one.uri) in {".txt", ".txt.gz"}]
        people = [one for one in people if "/" not in one[len(uri) + 1 :]]
        if people:
            return _fetch_set(people, folder, progress)
    absent = [stem + one for one in PLINK if stem + one not in there]
    if absent:
        raise AbsentError(
            "there is no such file", file=absent[0], remedy="A PLINK fileset is a .bed, a .bim and a .fam"
        )
    return _fetch_set([stem + one for one in PLINK], folder, progress) / name_last(stem + suffix)


def fetch_folder(uri: str, into: str | Path, *, progress: Progress | None = None) -> Path:
    """Bring all files below an address into a folder, whole or not at all.

    Parameters
    ----------
    uri : ``gs://bucket/folder``; files that `upload_folder` has not finished are not taken.
    into : a folder that is absent or empty.
    progress : told the number of files.

    Raises
    ------
    AbsentError
        There are no files.
    InputError
        `into` holds something, a name leads out of the folder, or an upload to `uri` was not finished.
    """
    top = uri.rstrip("/") + "/"
    files = {one.uri[len(top) :]: one for one in list_remote(top) if not one.uri.endswith("/")}
    if not files:
        raise AbsentError("there are no files in this folder", file=uri, remedy="Check the address")
    for name in files:
        if PurePosixPath(name).is_absolute() or {"..", ".", ""} & set(name.split("/")):
            raise InputError("this name leads out of its folder", file=top + name, remedy="Rename the file")
    done = 0

    def bring(name: str) -> None:
        nonlocal done
        place = folder / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            download_file(files[name], place)
        except (OSError, ValueError) as error:  # too long, a zero byte, or a file where another has a folder
            raise InputError(
                f"this name cannot be one of a file here: {error}", file=top + name, remedy="Rename the file"
            ) from error
        done += 1
        if progress is not None:
            progress(done, len(files), name)

    with replace_together(into) as [folder]:
        folder.mkdir()
        run_together(bring, files)
        if LIST in files:
            _check_list(uri, files, folder / LIST)
            (folder / LIST).unlink()
    return Path(into)


@contextmanager
def localise(
    uri: str | Path,
    fetch: Callable[..., Path] = fetch_file,
    *,
    progress: Progress | None = None,
) -> Iterator[Path]:
    """Yield the path of a file on this machine; errors in it are told under the name given.

    Parameters
    ----------
    uri : a path, here or in a bucket.
    fetch : `fetch_file` or `fetch_fileset`.
    """
    path = fetch(uri, progress=progress)
    with name_remote(path, uri):
        yield path


def _fetch(uri: str, cache: Path, progress: Progress | None) -> tuple[StoredFile, Path]:
    split_file(uri)

    def keep(file: StoredFile) -> tuple[StoredFile, Path]:
        return file, keep_file(file, cache, lambda path: download_file(file, path, progress))

    return take_current(uri, keep)


def _fetch_set(uris: list[str], cache: Path, progress: Progress | None) -> Path:
    """Return a folder with several files, each by the last part of its name."""
    found = run_together(partial(_fetch, cache=cache, progress=progress), uris)
    return keep_together([(file, name_last(file.uri), path) for file, path in found], cache)


def _find_suffix(uri: str) -> str:
    name = name_last(uri).lower()
    known = sorted([*PLINK, *BESIDE], key=len, reverse=True)
    return next((suffix for suffix in known if name.endswith(suffix)), "")


def _check_list(uri: str, files: dict[str, StoredFile], path: Path) -> None:
    """Compare what is there with what `upload_folder` said it has written."""
    try:
        listed = {
            str(name): dict(about)["crc32c"] for name, about in json.loads(path.read_text())["files"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(
            "the list of the folder's files cannot be read",
            file=join_uri(uri, LIST),
            remedy="Upload the folder again",
        ) from error
    for name in sorted({*listed, *files} - {LIST}):
        if name not in files or name not in listed or listed[name] != files[name].crc32c:
            raise DamagedError(
                "the folder is not as it was uploaded",
                file=join_uri(uri, name),
                remedy="Upload the folder again, to an address that is not taken",
            )
