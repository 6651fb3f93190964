"""The form of the components: one a folder, short, and importing the library in its body only."""

import ast
import importlib
from pathlib import Path

import pytest
from kfp.dsl.base_component import BaseComponent

import components
from components import images
from pipelines import exome_cnn, model_comparison, prediction, retraining, transfer_study

ROOT = Path(components.__file__).parent
NAMES = sorted(path.parent.name for path in ROOT.glob("*/component.py"))
MOST_LINES = 40
PIPELINES = (transfer_study, prediction, retraining, exome_cnn, model_comparison)


def read_component(name):
    return ast.parse((ROOT / name / "component.py").read_text())


def find_imports(nodes):
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_folder_holds_a_component_that_a_pipeline_uses():
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(NAMES)
    assert len(NAMES) == 38
    used = {
        node.id
        for module in PIPELINES
        for node in ast.walk(ast.parse(Path(module.__file__).read_text()))
        if isinstance(node, ast.Name)
    }
    assert set(NAMES) <= used


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_holds_exactly_one_component_of_its_name(name):
    assert {path.name for path in (ROOT / name).glob("*.py")} == {"__init__.py", "component.py"}
    assert (ROOT / name / "__init__.py").read_text() == ""
    module = importlib.import_module(f"components.{name}.component")
    found = [value for value in vars(module).values() if isinstance(value, BaseComponent)]
    assert found == [getattr(module, name)]
    functions = [node for node in read_component(name).body if isinstance(node, ast.FunctionDef)]
    assert [function.name for function in functions] == [name]
    assert found[0].component_spec.implementation.container.image in (images.DATA, images.TRAIN)


@pytest.mark.parametrize("name", NAMES)
def test_a_component_is_wiring(name):
    """Its statements take few lines, and every input and output is explained."""
    [function] = [node for node in read_component(name).body if isinstance(node, ast.FunctionDef)]
    _, *statements = function.body
    lines = statements[-1].end_lineno - statements[0].lineno + 1
    assert lines <= MOST_LINES
    told = ast.get_docstring(function)
    for argument in function.args.args:
        assert f"\n    {argument.arg}: " in told, argument.arg
    loops = [
        node for node in ast.walk(function) if isinstance(node, ast.While | ast.FunctionDef | ast.ClassDef)
    ]
    assert loops == [function], "logic belongs to genotransfer"


@pytest.mark.parametrize("name", NAMES)
def test_the_library_is_imported_in_the_body_only(name):
    tree = read_component(name)
    above = list(find_imports(tree.body))
    assert set(above) <= {"typing", "typing.List", "kfp", "kfp.dsl", "components", "components.images"}
    [function] = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    inside = list(find_imports(ast.walk(function)))
    assert any(module.startswith("genotransfer") for module in inside)
    assert not [module for module in inside if module.split(".")[0] not in {"genotransfer", "components"}]


@pytest.mark.parametrize("name", NAMES)
def test_a_component_runs_what_its_image_has(name):
    """Nothing is installed when a task starts: the image has all."""
    module = importlib.import_module(f"components.{name}.component")
    container = getattr(module, name).component_spec.implementation.container
    assert "pip install" not in " ".join(container.command)
