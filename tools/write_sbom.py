"""Write the bill of materials of what runs: python tools/write_sbom.py --out sbom.json (CycloneDX 1.6, JSON).

Versions and hashes are those of requirements.lock, licences those the installed packages say. The same
lock gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
import uuid
from datetime import UTC, datetime
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
from locked import LOCK, ROOT, find_licence, list_run_time, read_lock


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
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    licences = LicenseFactory()
    root = Component(
        name=project["name"],
        version=project["version"],
        type=ComponentType.APPLICATION,
        bom_ref=project["name"],
        licenses=[licences.make_from_string(project["license"])],
    )
    parts = {}
    for name, package in sorted(packages.items()):
        assert package is not None
        one = locked[name]
        said, expression = find_licence(package)
        parts[name] = Component(
            name=one.name,
            version=one.version,
            type=ComponentType.LIBRARY,
            bom_ref=f"{name}@{one.version}",
            purl=PackageURL("pypi", None, name, one.version),
            # One for each file that may be installed: the lock holds for several machines.
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in one.hashes],
            licenses=[licences.make_from_string(expression or said)],
        )
    bom = Bom(components=parts.values(), serial_number=uuid.uuid5(uuid.NAMESPACE_URL, lock.read_text()))
    bom.metadata.component = root
    bom.metadata.timestamp = datetime(1970, 1, 1, tzinfo=UTC)
    direct = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    bom.register_dependency(root, [parts[name] for name in sorted(direct) if name in parts])
    for name, package in sorted(packages.items()):
        needs = {canonicalize_name(Requirement(text).name) for text in (package and package.requires) or []}
        bom.register_dependency(parts[name], [parts[need] for need in sorted(needs & set(parts))])
    text: str = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"the bill is not valid: {error}")
    return text + "\n"


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "sbom.json")
    out = parser.parse_args().out
    out.write_text(compose_sbom(), encoding="utf-8")
    print(f"{out}: valid against CycloneDX 1.6")


if __name__ == "__main__":
    main()
