"""The lock, and what of it runs: names, versions, hashes and licences, all found without a network."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
# What images are made of; build.lock is what builds them, and stays in none.
IMAGE_LOCKS = tuple(ROOT / "docker" / f"{name}.lock" for name in ("data", "train-cpu", "train-gpu", "mlflow"))
LOCKS = (LOCK, *IMAGE_LOCKS, ROOT / "docker" / "build.lock")
# Of the extras, what a user may install to run studies; dev, panel and integration are for those who work on it.
RUN_TIME_EXTRAS = ("vcf",)
# What is read where a package says its licence in words.
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}


# Words of a licence's text, for packages whose metadata do not name it.
TEXTS = {
    "Permission is hereby granted, free of charge, to any person obtaining a copy": "MIT",
    "Apache License Version 2.0, January 2004": "Apache-2.0",
    "Licensed under the Apache License, Version 2.0": "Apache-2.0",
    "GNU AFFERO GENERAL PUBLIC LICENSE": "AGPL-3.0-only",
    "GNU GENERAL PUBLIC LICENSE": "GPL-3.0-only",
}


@dataclass(frozen=True)
class Locked:
    """A requirement of the lock.

    Attributes
    ----------
    name, version : as they stand there.
    hashes : sha256 of each file that may be installed for it.
    """

    name: str
    version: str
    hashes: tuple[str, ...]


def read_lock(path: Path = LOCK) -> tuple[dict[str, Locked], list[str]]:
    """Return the requirements by their canonical names, and what is wrong with the lock, each in words."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, Locked] = {}
    problems = []
    for row in (line.strip() for line in text.splitlines()):
        if not row or row.startswith("#"):
            continue
        if "://" in row or row.startswith("-"):
            problems.append(f"a host, an index or an option stands in the lock: {row[:80]}")
            continue
        pinned = re.match(r"([A-Za-z0-9][\w.-]*)(\[[\w,.-]+\])?==([\w.!+-]+)(\s*;[^-]*)?(?=\s|$)", row)
        hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})(?=\s|$)", row))
        if not pinned or not hashes or len(hashes) != row.count("--hash"):
            problems.append(f"this is not pinned to one version with sha256 hashes: {row[:80]}")
            continue
        found[canonicalize_name(pinned[1])] = Locked(pinned[1], pinned[3], hashes)
    return found, problems


def find_installed(name: str) -> Distribution | None:
    """Return an installed package, or None."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def list_run_time(project: Path = ROOT / "pyproject.toml") -> dict[str, Distribution | None]:
    """Return what genotransfer needs to run, and what that needs, by canonical name; None where it is not installed."""
    settings = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    wanted = list(settings["dependencies"])
    wanted += [one for extra in RUN_TIME_EXTRAS for one in settings["optional-dependencies"][extra]]
    waiting = [(Requirement(text), "") for text in wanted]
    found: dict[str, Distribution | None] = {}
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found.setdefault(name, find_installed(name))
        for own in ("", *requirement.extras):
            if (name, own) not in seen and (known := found[name]) is not None:
                seen.add((name, own))
                waiting += [(Requirement(text), own) for text in known.requires or []]
    return found


def find_licence(package: Distribution) -> tuple[str, str]:
    """Return a package's licence as it says it, and the same as an SPDX expression where it is one.

    What it says first counts: ``License-Expression``, then classifiers, then the field ``License``, then
    the text of its licence file.
    """
    about = package.metadata
    if expression := about.get("License-Expression"):
        return expression, expression
    names = [
        one.rpartition(" :: ")[2] for one in about.get_all("Classifier") or [] if one.startswith("License ::")
    ]
    names = [one for one in names if one != "OSI Approved"]
    if names:
        return "; ".join(names), " OR ".join(CLASSIFIERS[one] for one in names) if set(names) <= set(
            CLASSIFIERS
        ) else ""
    if said := (about.get("License") or "").strip().splitlines():
        return said[0][:120], ""
    for one in package.files or []:
        if re.match(r"licen[cs]e", one.name, re.IGNORECASE) and ".dist-info" in str(one):
            text = " ".join(Path(str(one.locate())).read_text(encoding="utf-8", errors="replace").split())
            for words, expression in TEXTS.items():
                if words in text:
                    return expression, expression
    return "", ""


def is_copyleft(licence: str) -> bool:
    """Say whether a licence is of the GPL or AGPL; of several to choose from, all must be. The LGPL is not."""
    choices = re.split(r"\bOR\b|;", licence)
    strict = r"(?<!L)(?<!Lesser )(?<!Library )\bA?GPL|(?:Affero|GNU) General Public"
    return bool(licence) and all(
        re.search(strict, one) and "Classpath-exception" not in one for one in choices
    )
