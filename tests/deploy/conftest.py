"""What the tests of the base for a cluster share."""

import pytest

from genotransfer.study_files import load_study
from pipelines.compilation import write_manifests
from tests.deploy.cluster_manifests import copy_deploy


@pytest.fixture(scope="module")
def deploy(tmp_path_factory):
    """A copy of deploy/, its study compiled as its kustomization says."""
    copied = copy_deploy(tmp_path_factory.mktemp("copy"))
    write_manifests(load_study(copied / "examples/study/study.yaml"), copied / "examples/study")
    return copied
