"""The documentation says what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from cosmith.recipes import STAGE_KINDS, load_recipe, parse_document
from cosmith.recipes.reference import reference

ROOT = Path(__file__).resolve().parents[2]


def test_the_recipe_reference_is_that_of_the_schema() -> None:
    page = (ROOT / "docs" / "recipe-reference.md").read_text(encoding="utf-8")
    assert page == reference(), "run: python -m cosmith.recipes.reference docs/recipe-reference.md"


@pytest.mark.parametrize("kind", STAGE_KINDS)
def test_every_kind_and_key_has_a_description(kind: str) -> None:
    assert STAGE_KINDS[kind].__doc__
    for name, field in STAGE_KINDS[kind].model_fields.items():
        assert name == "kind" or field.description, name


def test_the_documented_overrides_and_commands_exist() -> None:
    from typer.main import get_command

    from cosmith.cli.app import app

    pages = {page.name: page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md")}
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for page, text in pages.items():
        for command in re.findall(r"^cosmith (\w+)", text, re.MULTILINE):
            assert command in commands, f"{page}: cosmith {command}"
        for line in re.findall(r"^.*--set .*$", text, re.MULTILINE):
            named = re.search(r"cosmith run ([\w-]+) ", line)
            stages = load_recipe(named.group(1) if named else "pairs").recipe.stages
            for key in re.findall(r"--set ([\w.]+)=", line):
                stage, _, name = key.removeprefix("stages.").partition(".")
                assert name in STAGE_KINDS[stages[stage].kind].model_fields, f"{page}: {key}"


def test_recipes_in_the_documentation_are_valid() -> None:
    blocks = [
        (page, block)
        for page in (ROOT / "docs").glob("*.md")
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]
    assert blocks, "the documentation shows no recipe"
    recipes = [(page, block) for page, block in blocks if not is_benchmark(block)]
    assert len(recipes) < len(blocks), "the documentation shows no benchmark"
    for page, block in recipes:
        assert load_recipe(parse_document(block, page)).recipe.stages, f"{page}: a recipe without stages"


def is_benchmark(block: str) -> bool:
    """Whether it is a file of tasks (see docs/evaluation.md), which tests of its own read."""
    return set(yaml.safe_load(block)) <= {"name", "tasks"}
