"""Build hook: the revision of the repository goes into the wheel as genotransfer/REVISION.

It is GENOTRANSFER_REVISION where that is set, as in the build of an image, which has no repository;
what genotransfer/release.py finds otherwise, which is also what reads it.
"""

import os
import sys
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RevisionHook(BuildHookInterface):
    """Writes the revision for wheels and source archives; an editable installation asks git itself."""

    def initialize(self, version, build_data):
        """Add the file to what is built."""
        if version == "editable":
            return
        if (Path(self.root) / "genotransfer/REVISION").is_file():  # a source archive
            return
        revision = os.environ.get("GENOTRANSFER_REVISION") or self._read_revision()
        if not revision:
            return
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "REVISION"
        path.write_text(revision + "\n")
        build_data["force_include"][str(path)] = "genotransfer/REVISION"

    def finalize(self, version, build_data, artifact_path):
        """Remove what `initialize` wrote."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()

    def _read_revision(self):
        sys.path.insert(0, self.root)
        try:
            from genotransfer.release import read_revision
        finally:
            sys.path.remove(self.root)
        return read_revision()
