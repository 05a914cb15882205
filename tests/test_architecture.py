"""The rules of docs/architecture.md: imports go down and in no circle, and what is imported is declared."""

from __future__ import annotations

import ast
import importlib
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import cosmith

PACKAGE = Path(cosmith.__file__).parent
ROOT = Path(__file__).resolve().parents[1]
FLOORS = (
    ("errors", "lazy", "atomic", "phrases", "progress"), ("bulk", "data", "losses", "services"), ("models",),
    ("retrieval",), ("evaluation",), ("training", "mining", "compression"), ("inspection",), ("recipes",), ("cli",),
    ("__main__",),
)  # fmt: skip
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = {
    ".".join(("cosmith", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
# Distributions whose modules have another name, and TensorBoard, which torch imports for us.
MODULE_OF = {"huggingface-hub": "huggingface_hub", "pyyaml": "yaml", "PyStemmer": "Stemmer",
             "markdown-it-py": "markdown_it", "vl-convert-python": "vl_convert", "tensorboard": "torch",
             "ray[data]": "ray", "scikit-learn": "sklearn",
             "faiss-cpu": "faiss"}  # fmt: skip


def imports(module: str, *, for_types: bool = True) -> Iterator[str]:
    """The modules that a module imports, anywhere in it; ``for_types``: also those that only its annotations need."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    skipped = {
        id(below)
        for node in ast.walk(tree)
        if not for_types and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for below in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in names)


@pytest.mark.parametrize("module", [module for module in MODULES if module != "cosmith"])
def test_imports_go_down(module: str) -> None:
    room = module.split(".")[1]
    for imported in imports(module):
        if imported.startswith("cosmith."):
            other = imported.split(".")[1]
            assert other == room or FLOOR_OF[other] < FLOOR_OF[room] or FLOOR_OF[other] == 0, imported


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {
        module: {imported for imported in imports(module, for_types=False) if imported in MODULES} for module in MODULES
    }
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]  # those left out below are for no module of ours
    ours = [
        each
        for extra in extras.keys() - {"bench", "demo", "dev", "docs"}
        for each in extras[extra]
        if not each.startswith("cosmith")
    ]
    names = {each.partition(">")[0].partition("=")[0] for each in [*project["dependencies"], *ours]}
    declared = {MODULE_OF.get(name, name) for name in names}
    imported = {name.partition(".")[0] for module in MODULES for name in imports(module)}
    third_party = imported - set(sys.stdlib_module_names) - {"cosmith", "pydantic_core"}  # the latter is pydantic's
    assert third_party == declared


@pytest.mark.parametrize("package", [module for module in MODULES if MODULES[module].name == "__init__.py"])
def test_no_name_that_is_imported_on_first_use_is_also_a_module(package: str) -> None:
    """Whichever of the two came first would hide the other."""
    imported = importlib.import_module(package)
    if hasattr(imported, "__getattr__"):
        assert not [name for name in imported.__all__ if f"{package}.{name}" in MODULES]
