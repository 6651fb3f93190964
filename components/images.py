"""Names of the container images: where they are, and the release as their tag.

Components name the images by the repository that GENOTRANSFER_IMAGES gives; the section `cluster` of
a study can name others when its pipeline is compiled.
"""

import os

from genotransfer.release import name_release


def name_image(kind: str, repository: str = "") -> str:
    """Return the name of the ``data`` or ``train`` image of this release in a repository."""
    # "python" in the name keeps KFP's subprocess runner from warning of an image it will not use.
    return f"{repository or REPOSITORY}/python-{kind}:{name_release()}"


REPOSITORY = os.environ.get("GENOTRANSFER_IMAGES") or "genotransfer"
DATA = name_image("data")
TRAIN = name_image("train")
