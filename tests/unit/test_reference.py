"""The page of settings is the settings'."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_reference_is_up_to_date():
    tool = runpy.run_path(str(ROOT / "tools/describe_study.py"))
    page = (ROOT / "docs/reference/study.md").read_text()
    assert page == tool["compose"](), "renew it: python tools/describe_study.py"
