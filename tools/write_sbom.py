"""Write bills of materials: python tools/write_sbom.py --out sbom.json (CycloneDX 1.6, JSON).

``sbom.json`` is of what runs; beside it, one for each image, such as ``sbom-data.json``. Versions and hashes
are those of the locks, licences those the installed packages say: what only an image holds, as CUDA's
libraries, is without. The same locks give the same bytes.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
import uuid
from datetime import UTC, datetime
from importlib.metadata import Distribution
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

sys.path.insert(0, str(Path(__file__).parent))
from locked import IMAGE_LOCKS, LOCK, ROOT, Locked, find_installed, find_licence, list_run_time, read_lock


def compose_sbom(lock: Path = LOCK) -> str:
    """Return the bill of materials as JSON.

    Raises
    ------
    ValueError
        The lock is not whole, something that runs is not in it or not installed, or what was written is
        not valid against CycloneDX's own schema.
    """
    locked, problems = read_lock(lock)
    packages = list_run_time()
    absent = sorted(name for name, one in packages.items() if one is None or name not in locked)
    if problems or absent:
        raise ValueError(
            "; ".join([*problems, *(f"{name} is not locked or not installed" for name in absent)])
        )
    root, direct = _describe_project()
    parts = {name: _describe(locked[name], package) for name, package in sorted(packages.items())}
    bom = _start_bill(root, parts, lock)
    bom.register_dependency(root, [parts[name] for name in sorted(direct) if name in parts])
    for name, package in sorted(packages.items()):
        needs = {canonicalize_name(Requirement(text).name) for text in (package and package.requires) or []}
        bom.register_dependency(parts[name], [parts[need] for need in sorted(needs & set(parts))])
    return _write(bom)


def compose_image_sbom(lock: Path) -> str:
    """Return the bill of materials of an image's Python packages as JSON.

    Raises
    ------
    ValueError
        As `compose_sbom`.
    """
    locked, problems = read_lock(lock)
    if problems:
        raise ValueError("; ".join(problems))
    root, _ = _describe_project(lock.stem)
    parts = {name: _describe(one, find_installed(name)) for name, one in sorted(locked.items())}
    bom = _start_bill(root, parts, lock)
    bom.register_dependency(root, parts.values())
    return _write(bom)


def _describe_project(image: str = "") -> tuple[Component, set[str]]:
    """Return the project, or an image of it, as a bill's subject; and what it names as its needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = project["name"] + (f"-{image}" if image else "")
    root = Component(
        name=name,
        version=project["version"],
        type=ComponentType.CONTAINER if image else ComponentType.APPLICATION,
        bom_ref=name,
        licenses=[LicenseFactory().make_from_string(project["license"])],
    )
    return root, {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}


def _describe(one: Locked, package: Distribution | None) -> Component:
    name = canonicalize_name(one.name)
    said, expression = find_licence(package) if package is not None else ("", "")
    licence = expression or said
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{name}@{one.version}",
        purl=PackageURL("pypi", None, name, one.version),
        # One for each file that may be installed: the lock holds for several machines.
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in one.hashes],
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
    )


def _start_bill(root: Component, parts: dict[str, Component], lock: Path) -> Bom:
    bom = Bom(components=parts.values(), serial_number=uuid.uuid5(uuid.NAMESPACE_URL, lock.read_text()))
    bom.metadata.component = root
    bom.metadata.timestamp = datetime(1970, 1, 1, tzinfo=UTC)
    return bom


def _write(bom: Bom) -> str:
    text: str = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"the bill is not valid: {error}")
    return text + "\n"


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "sbom.json")
    out = parser.parse_args().out
    bills = {out: compose_sbom()}
    for lock in IMAGE_LOCKS:
        bills[out.with_name(f"{out.stem}-{lock.stem}{out.suffix}")] = compose_image_sbom(lock)
    for path, text in bills.items():
        path.write_text(text, encoding="utf-8")
        print(f"{path}: valid against CycloneDX 1.6")


if __name__ == "__main__":
    main()
