"""What a recipe file may say, and what a user is told where it says something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.recipes import AsTyped, built_in_recipes, load_recipe, parse_document, parse_override, read_document
from cosmith.recipes.graph import estimated_sources, output_names
from cosmith.recipes.schema import STAGE_KINDS

PAIRS = built_in_recipes()["pairs"].text


def complaint(text: str, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load_recipe(parse_document(text, Path("mine.yaml")), **options)
    return caught.value


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_every_built_in_recipe_is_valid_in_every_size() -> None:
    recipes = built_in_recipes()
    assert {"pairs", "python-docs"} <= set(recipes)
    for name, document in recipes.items():
        assert load_recipe(name).recipe.name == name
        for size in document.value.get("sizes", {}):
            assert load_recipe(name, size=size).recipe.size == size


def test_a_recipe_for_own_pairs_is_fifteen_lines() -> None:
    text = """\
name: support
stages:
  data: {kind: source, path: tickets.csv, query: question, positive: answer}
  baseline: {kind: evaluate, models: [base, bm25], tasks: data.test}
  mined: {kind: mine, source: data.train}
  train: {kind: train, sources: mined, dev: data.dev, learning_rate: 3e-5}
  test: {kind: evaluate, models: train, tasks: data.test}
  comparison: {kind: compare, after: train, scores: [baseline, test]}
  report: {kind: report}
"""
    recipe = load_recipe(parse_document(text)).recipe
    assert list(recipe.stages) == ["data", "baseline", "mined", "train", "test", "comparison", "report"]
    train = recipe.stages["train"]
    # YAML 1.1 reads 3e-5 as a text; a recipe means the number.
    assert train.model_dump()["learning_rate"] == 3e-5
    assert train.model_dump()["sources"] == ["mined"]


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("    kind: mine\n", "    kind: mime\n", "stages.mined", ["'mime'", "'mine'"]),
        ("dev: data.dev", "dve: data.dev", "stages.train.dve", ["unknown key 'dve'", "'dev'"]),
        ("dev: data.dev", "dev: data.dve", "stages.train.dev[0]", ["'data.dve'", "data.dev", "data.test"]),
        ("dev: data.dev", "dev: data", "stages.train.dev[0]", ["several outputs", "data.dev, data.test"]),
        ("dev: data.dev", "dev: mined", "stages.train.dev[0]", ["training rows", "a collection or an sts set"]),
        ("dev: data.dev", "steps: many", "stages.train.steps", ["a whole number", "'many'"]),
        ("dev: data.dev", "steps: true", "stages.train.steps", ["a whole number", "True"]),
        ("dev: data.dev", "steps: 0", "stages.train.steps", ["at least 1", "not 0"]),
        ("dev: data.dev", "schedule: linar", "stages.train.schedule", ["'linar'", "'linear'"]),
        ("dev: data.dev", "loss: defalt", "stages.train.loss", ["'defalt'", "'default'"]),
        ("dev: data.dev", "loss: {margin: 1}", "stages.train.loss", ["needs a name"]),
        ("dev: data.dev", "loss: {name: [a]}", "stages.train.loss", ["no loss ['a']"]),
        ("dev: data.dev", "loss: {name: triplet, margn: 1}", "stages.train.loss", ["'margn'", "'margin'"]),
        ("dev: data.dev", "loss: {name: triplet, margin: x}", "stages.train.loss", ["margin is 'x'"]),
        ("dev: data.dev", "loss: {name: classic, same_text: 'no'}", "stages.train.loss", ["neither true nor false"]),
        ("dev: data.dev", "teacher: data.dev", "stages.train.teacher", ["a model"]),
        ("dev: data.dev", "quantise: int4", "stages.train.quantise[0]", ["'int4'", "int8"]),
        ("    path: pairs.jsonl", "    path: pairs.jsonl\n    loss: cosnet", "stages.data.loss", ["'cosent'"]),
        ("dev: data.dev", "per_source: {mined: {wait: 2}}", "stages.train.per_source.mined.wait", ["weight"]),
        (
            "dev: data.dev",
            "per_source: {mined: {loss: {name: triplet, margn: 1}}}",
            "stages.train.per_source.mined.loss",
            ["'margn'", "'margin'"],
        ),
        (
            "dev: data.dev",
            "per_source: {mined: {batch_size: 0}}",
            "stages.train.per_source.mined.batch_size",
            ["at least 1"],
        ),
        ("dev: data.dev", "interpolate: [0.5, 3]", "stages.train.interpolate[1]", ["at most 1", "not 3"]),
        ("dev: data.dev", "dims: [a]", "stages.train.dims[0]", ["a whole number"]),
        ("models: [base, bm25]", "models: [base, train]", "stages.baseline.models[1]", ["stands below"]),
        ("models: [base, bm25]", "models: []", "stages.baseline.models", ["at least 1"]),
        ("    path: pairs.jsonl", "    path: pairs.jsonl\n    dev: 2", "stages.data.dev", ["below 1"]),
        ("name: pairs", "nmae: pairs", "nmae", ["unknown key 'nmae'", "'name'"]),
        ("name: pairs", "name: a/b", "name", ["'a/b' is not a name"]),
        ("    train: train", "    train: mined", "stages.estimate.train", ["no train stage called 'mined'"]),
    ],
)
def test_a_wrong_line_is_named_with_its_place_and_what_to_do(old: str, new: str, field: str, words: list[str]) -> None:
    assert old in PAIRS
    text = PAIRS.replace(old, new)
    error = complaint(text)
    assert error.path == Path("mine.yaml")
    assert error.field == field
    for word in words:
        assert word in str(error)
    if field != "stages.mined":  # a wrong kind is told at the stage's name
        assert error.line == line_of(text, new.strip().splitlines()[-1])


def test_steps_and_epochs_together_are_refused() -> None:
    error = complaint(PAIRS.replace("dev: data.dev", "steps: 5\n    epochs: 2"))
    assert error.field == "stages.train"
    assert "both" in str(error)


def test_a_stage_without_kind_and_one_that_is_no_mapping() -> None:
    assert "no 'kind'" in str(complaint("name: x\nstages:\n  a: {path: b}\n"))
    assert complaint("name: x\nstages:\n  a: 3\n").field == "stages.a"
    assert complaint("name: x\nstages:\n  base: {kind: report}\n").field == "stages.base"
    assert complaint("name: x\nstages: {}\n").field == "stages"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("name: x\nstages: [\n  a", 3, "not valid YAML"),
        ("name: x\n\tb: 1\n", 2, "not valid YAML"),
        ("name: x\nname: y\n", 2, "stands twice"),
        ("", None, "empty"),
        ("- a\n", 1, "mapping"),
        ("name: &a [*a]\n", 1, "contains itself"),
    ],
)
def test_broken_yaml_is_named_with_its_line(text: str, line: int | None, words: str) -> None:
    error = complaint(text)
    assert error.path == Path("mine.yaml")
    assert error.line == line
    assert words in str(error)


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such recipe file"):
        read_document(tmp_path / "absent.yaml")
    with pytest.raises(InputError, match="is a folder"):
        read_document(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: x\ndescription: café\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8") as caught:
        read_document(latin)
    assert caught.value.line == 2
    with pytest.raises(InputError, match="'pairs'"):
        load_recipe("piars")


def test_a_recipe_can_be_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(PAIRS.replace("name: pairs", "name: mine"), encoding="utf-8")
    loaded = load_recipe(str(path))
    assert loaded.recipe.name == "mine"
    assert loaded.document.path == path


SIZED = PAIRS + "size: small\nsizes:\n  small:\n    train.steps: 4\n    data.dev: 0.2\n  full:\n    seed: 3\n"


def steps_and_more(**options: Any) -> tuple[int | None, float, int]:
    recipe = load_recipe(parse_document(SIZED), **options).recipe
    values = {name: stage.model_dump() for name, stage in recipe.stages.items()}
    return values["train"]["steps"], values["data"]["dev"], recipe.seed


def test_overrides_go_before_the_size_and_the_size_before_the_recipe() -> None:
    assert steps_and_more() == (4, 0.2, 0)
    assert steps_and_more(size="full") == (None, 0.1, 3)
    assert steps_and_more(overrides={"stages.train.steps": 9, "seed": 5}) == (9, 0.2, 5)


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"size": "smal"}, "size", "'small'"),
        ({"overrides": {"train.stpes": 1}}, "stages.train.stpes", "'steps'"),
        ({"overrides": {"stages.trian.steps": 1}}, "stages.trian.steps", "'train'"),
        ({"overrides": {"trian.steps": 1}}, "trian.steps", "'train'"),
        ({"overrides": {"train.steps": "x"}}, "stages.train.steps", "a whole number"),
        ({"overrides": {"stages.train": 1}}, "stages.train", "as a whole"),
        ({"overrides": {"name": "y"}}, "name", "cannot be overridden"),
    ],
)
def test_wrong_overrides(options: dict[str, Any], field: str, words: str) -> None:
    error = complaint(SIZED, **options)
    assert error.field == field
    assert words in str(error)
    assert error.path is None  # it is not the file that is wrong


def test_an_error_within_sizes_is_found_whichever_size_is_asked_for() -> None:
    text = SIZED.replace("seed: 3", "train.sede: 3")
    error = complaint(text, size="small")
    assert error.line == line_of(text, "train.sede")
    assert error.field == "sizes.full.stages.train.sede"


def test_overrides_on_the_command_line() -> None:
    assert parse_override("train.steps=50") == ("train.steps", AsTyped("50"))
    assert parse_override("a=b=c") == ("a", AsTyped("b=c"))
    for wrong in ("steps", "=3"):
        with pytest.raises(InputError):
            parse_override(wrong)


@pytest.mark.parametrize(
    "text", ["yes", "2024", "1e3", "a: b", "null", "[a", "{}", "#1.jsonl", "  x", "'x'", "a, b", ""]
)
def test_a_text_on_the_command_line_is_taken_as_it_stands(text: str) -> None:
    overrides = dict([parse_override(f"data.path={text}"), parse_override(f"base={text}")])
    recipe = load_recipe("pairs", overrides=overrides).recipe
    assert recipe.stages["data"].path == recipe.base == text
    assert load_recipe("pairs", overrides=overrides).overrides["data.path"] == text


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("train.steps=50", 50),
        ("train.steps=null", None),
        ("train.learning_rate=1e-3", 1e-3),
        ("train.keep_best=no", False),
        ("train.dims=[16, 8]", [16, 8]),
        ("train.interpolate=[0, 1]", [0, 1]),
        ("train.precision=null", None),
        ("train.precision=bf16", "bf16"),
        ("train.dev=data.test", ["data.test"]),
        ("train.dev=[data.dev, data.test]", ["data.dev", "data.test"]),
        ("train.dev=[]", []),
        ("index.queries=what: is [it]", ["what: is [it]"]),
        ("index.queries=[yes, 2024]", ["yes", "2024"]),
        ("index.before=null", None),
    ],
)
def test_a_value_on_the_command_line_is_read_by_the_type_of_its_key(override: str, value: Any) -> None:
    key, typed = parse_override(override)
    stage, _, field = key.partition(".")
    assert getattr(load_recipe("pairs", overrides={key: typed}).recipe.stages[stage], field) == value


def test_folders_on_the_command_line_may_be_one_or_several() -> None:
    for text, folders in (("2024", ["2024"]), ("[2024, yes]", ["2024", "yes"]), ("null", None)):
        overrides = dict([parse_override(f"data.search_paths={text}")])
        assert load_recipe("python-docs", overrides=overrides).recipe.stages["data"].search_paths == folders


def test_what_is_not_yaml_on_the_command_line_is_refused() -> None:
    for override in ("train.steps=[1", "train.dev=[a: [}]"):
        with pytest.raises(InputError, match="is not valid YAML"):
            load_recipe("pairs", overrides=dict([parse_override(override)]))


def test_an_estimate_above_the_mining_sees_what_the_mining_will_see() -> None:
    moved = parse_document(
        "name: x\nstages:\n  data: {kind: source, path: p}\n  cost: {kind: estimate, train: train}\n"
        "  mined: {kind: mine, source: data.train, negatives: 3}\n"
        "  train: {kind: train, sources: [mined, data.train]}\n"
    )
    recipe = load_recipe(moved).recipe
    assert estimated_sources(recipe, "cost") == [("data.train", 3), ("data.train", 0)]
    error = complaint(
        "name: x\nstages:\n  cost: {kind: estimate, train: train}\n  data: {kind: source, path: p}\n"
        "  train: {kind: train, sources: data.train}\n"
    )
    assert error.field == "stages.cost"
    assert "not made yet" in str(error)


def test_a_source_gives_only_the_parts_that_it_keeps() -> None:
    document = parse_document("name: x\nstages:\n  data: {kind: source, path: p, dev: 0}\n")
    names = output_names(load_recipe(document).recipe)
    assert {"data.train", "data.test"} <= set(names)
    assert "data.dev" not in names


YAML_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda leaf: st.lists(leaf) | st.dictionaries(st.text(), leaf),
    max_leaves=8,
)


@given(YAML_VALUES, st.sampled_from(sorted(STAGE_KINDS)), st.text(max_size=8))
def test_whatever_stands_in_a_stage_gives_a_recipe_or_a_clear_error(value: Any, kind: str, key: str) -> None:
    import yaml

    text = yaml.safe_dump({"name": "x", "stages": {"a": {"kind": kind, key: value, "path": value, "models": value}}})
    said = "x.yaml"
    try:
        load_recipe(parse_document(text, Path("x.yaml")))
    except InputError as error:
        said = str(error)
    assert said.startswith("x.yaml")
