"""Feed damaged files to readers: python -m tests.fuzz --seconds 60 --seed 1 plink vcf; all readers when none is named.

Prints one JSON line a reader: how many files it read, refused, and what it found. What is found is
made as small as it can be, and kept under --found.
"""

import argparse
import faulthandler
import json
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as fix_seed
from hypothesis import strategies as st

from genotransfer.errors import GenotransferError
from tests.fuzz.mutation import damage, damage_json, damage_zip, pack, pack_blocks
from tests.fuzz.readers import READERS, Files, Reader

EXAMPLE_S = 5  # one file may take so long
STOP_S = 60  # and code that does not listen so long, before the process is ended
MEMORY_GIB = 3  # beyond what the process has when it begins


class HangError(Exception):
    """A reader took longer than it may."""


@dataclass
class Report:
    """What came of a reader."""

    reader: str
    seed: int
    read: int = 0
    refused: int = 0
    found: list[dict[str, Any]] = field(default_factory=list)


def main() -> None:
    """Run the readers that are named; status 1 when something was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("readers", nargs="*")
    parser.add_argument("--seconds", type=float, default=0, help="of each reader")
    parser.add_argument("--examples", type=int, default=100, help="of each reader, without --seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--found", type=Path, default=Path(tempfile.gettempdir()) / "genotransfer-fuzz")
    given_to = parser.parse_args()
    known = dict(READERS)
    if not given_to.readers or set(given_to.readers) - set(known):
        from tests.fuzz.model_readers import MODEL_READERS

        known |= MODEL_READERS
    seeds = {name: known[name].seeds() for name in given_to.readers or known}
    limit_memory()
    warnings.simplefilter("ignore")
    reports = []
    for name, files in seeds.items():
        reports.append(fuzz(name, known[name], files, given_to))
        print(json.dumps(vars(reports[-1])), flush=True)
    sys.exit(any(one.found for one in reports))


def limit_memory() -> None:
    """Let the process take no more than so much beyond what it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (MEMORY_GIB << 30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def fuzz(name: str, reader: Reader, seeds: list[Files], how: argparse.Namespace) -> Report:
    """Feed a reader; go on after each thing found, until time or examples are spent."""
    report, end = Report(name, how.seed), time.monotonic() + how.seconds
    known: set[str] = set()
    rounds, before = 0, -1
    while rounds == 0 or (how.seconds and time.monotonic() < end) or len(known) > before:
        before, rounds = len(known), rounds + 1
        last: dict[str, Any] = {}
        check = partial(_check, reader, report, known, last, end if how.seconds else None)
        limited = settings(
            max_examples=300 if how.seconds else how.examples,
            database=None,
            deadline=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )
        run = limited(fix_seed(how.seed + rounds)(given(files=break_files(seeds))(_as_test(check))))
        try:
            run()
        except BaseException:
            if not last:
                raise
            known.add(last["place"])
            keep(how.found / name / f"{len(known)}", last.pop("whole"))
            report.found.append(dict(last))
    return report


def _as_test(check: Callable[[Files], None]) -> Callable[[Files], None]:
    def test(files: Files) -> None:
        check(files)

    return test


def _check(
    reader: Reader, report: Report, known: set[str], last: dict[str, Any], end: float | None, files: Files
) -> None:
    """Feed the reader, unless time is over; fail for what was not found before, and remember the last."""
    if end is not None and time.monotonic() > end and not last:
        return
    problem = feed(reader, files, report)
    if problem is not None and problem["place"] not in known:
        last.clear()
        last.update(problem, files={one: repr(content[:4000]) for one, content in files.items()}, whole=files)
        raise AssertionError(problem["place"])


def feed(reader: Reader, files: Files, report: Report) -> dict[str, Any] | None:
    """Read files; return what is wrong with how the reader took them."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder = Path(scratch)
        write(folder, files)
        reader.prepare(folder)
        given_names = {Path(name).name for name in files} | {Path(name).stem for name in files}
        faulthandler.dump_traceback_later(STOP_S, exit=True)
        signal.signal(signal.SIGALRM, _stop)
        signal.setitimer(signal.ITIMER_REAL, EXAMPLE_S)
        try:
            reader.read(folder)
            report.read += 1
        except GenotransferError as error:
            report.refused += 1
            if not any(name in str(error) for name in given_names) and str(folder) not in str(error):
                return describe(error, f"no file named: {type(error).__name__}")
        except BaseException as error:
            return describe(error, type(error).__name__)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
    return None


def _stop(*_: object) -> None:
    raise HangError


def describe(error: BaseException, kind: str) -> dict[str, Any]:
    """Return where an error came from, in our code, and its end."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if "/genotransfer/" in one.filename or "/tests/fuzz/" in one.filename]
    place = f"{kind} at {Path(ours[-1].filename).name}:{ours[-1].lineno} in {ours[-1].name}"
    return {"place": place, "message": f"{type(error).__name__}: {error}"[:400]}


def write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def keep(folder: Path, files: Files) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write(folder, files)


@st.composite
def break_files(draw: Any, seeds: list[Files]) -> Files:
    """Draw one of the valid sets of files, damaged in one or two of them."""
    files = dict(draw(st.sampled_from(seeds)))
    broken = {draw(st.sampled_from(sorted(files))) for _ in range(draw(st.integers(1, 2)))}
    for name in sorted(broken):
        way = {".json": damage_json, ".keras": damage_zip, ".skops": damage_zip}.get(
            Path(name).suffix, damage
        )
        files[name] = way(draw, files[name])
    packing = {".gz": pack, ".bcf": pack_blocks, ".bgz": pack_blocks}
    return {name: packing.get(Path(name).suffix, lambda _, one: one)(draw, files[name]) for name in files}


if __name__ == "__main__":
    main()
