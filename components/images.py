"""Names of the container images. The tag is the version of the library, and the one place to say it."""

import os
from importlib.metadata import PackageNotFoundError, version


def _tag() -> str:
    try:
        return version("genotransfer")
    except PackageNotFoundError:
        return "0.0.0"


REPOSITORY = os.environ.get("GENOTRANSFER_IMAGES", "genotransfer")
# "python" in the name keeps KFP's subprocess runner from warning of an image it will not use.
DATA = f"{REPOSITORY}/python-data:{_tag()}"
TRAIN = f"{REPOSITORY}/python-train:{_tag()}"
