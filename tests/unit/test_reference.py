"""The pages of settings are the settings'."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["study.md", "exome-cnn.md", "comparison.md"])
def test_the_reference_is_up_to_date(name):
    tool = runpy.run_path(str(ROOT / "tools/describe_study.py"))
    page = (ROOT / "docs/reference" / name).read_text()
    assert page == tool["compose"](name), "renew it: python tools/describe_study.py"
