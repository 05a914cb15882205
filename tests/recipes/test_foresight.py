"""What can be known before the first stage is said before it; and stages that are like others."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosmith.errors import InputError
from cosmith.models import tiny_encoder
from cosmith.recipes import load_recipe, parse_document, parse_override, run_recipe
from cosmith.recipes.schema import json_schema

RECIPE = """\
name: t
base: {world}/base
stages:
  data: {{kind: source, path: {world}/pairs.jsonl, dev: 0.2, test: 0}}
  mined: {{kind: mine, source: data.train, ratio: null}}
  other: {{kind: model, path: {world}/base}}
"""


def loaded(world: Path, stages: str, *said: str):  # type: ignore[no-untyped-def]
    overrides = dict(parse_override(each) for each in said)
    return load_recipe(parse_document(RECIPE.format(world=world) + stages), overrides=overrides)


@pytest.mark.parametrize(
    ("stage", "field", "says"),
    [
        ("{kind: train, sources: mined, loss: gist}", "loss", "'gist' follows another model, and none is named"),
        ("{kind: train, sources: mined, loss: {name: follow-query}}", "loss", "'follow-query' follows"),
        ("{kind: train, sources: mined, per_source: {mined: {loss: embedding-mse}}}", "loss", "'embedding-mse'"),
        ("{kind: train, sources: mined, teacher: other}", "teacher", "no loss of this stage follows a teacher"),
        ("{kind: train, sources: mined, teacher: other, loss: score-kl}", "teacher", "a stage `score`"),
        ("{kind: merge, models: [base, other], method: greedy-soup}", None, r"not said\. Name a collection"),
        ("{kind: merge, models: other}", None, r"slerp needs two models or more\. Name another"),
        ("{kind: merge, models: [base, other], scale: 2}", None, r"slerp has no scale\. It belongs to task"),
    ],
)
def test_what_the_recipe_alone_tells(stage: str, field: str | None, says: str, small_world: Path) -> None:
    with pytest.raises(InputError, match=says) as refused:
        loaded(small_world, f"  last: {stage}\n")
    assert refused.value.field == "stages.last" + (f".{field}" if field else "")
    assert refused.value.line == 7


def test_the_rows_own_loss_counts(small_world: Path) -> None:
    stages = "  last: {kind: train, sources: mined, teacher: base, per_source: {mined: {loss: gist}}}\n"
    loaded(small_world, stages.replace(", per_source: {mined: {loss: gist}}", ", loss: gist"))
    loaded(small_world, stages)
    graded = "  own: {kind: source, path: pairs.jsonl, loss: gist}\n  more: {kind: mine, source: own.train}\n"
    loaded(small_world, graded + stages.replace("mined", "more").replace("gist", "follow-query"))
    loaded(small_world, graded + "  last: {kind: train, sources: more, teacher: base}\n")
    with pytest.raises(InputError, match="no loss of this stage"):
        loaded(small_world, graded + stages.replace("mined", "more").replace("gist", "classic"))


@pytest.mark.parametrize(
    ("stages", "field", "says"),
    [
        ("  last: {kind: train, sources: mined, dims: [8, 5000]}\n", "last.dims", "5000 is not smaller"),
        (
            "  first: {kind: train, sources: mined}\n"
            "  last: {kind: train, model: first, sources: mined, dims: [5000]}\n",
            "last.dims",
            "5000 is not smaller",
        ),
        (
            "  new: {kind: initialise, texts: mined, hidden: 8, heads: 2}\n"
            "  last: {kind: train, model: new, sources: mined, dims: 8}\n".replace("dims: 8", "dims: [8]"),
            "last.dims",
            "8 is not smaller than the model's 8",
        ),
        (
            "  last: {kind: train, sources: mined, adapter: lora, adapter_targets: [nothing]}\n",
            "last.adapter_targets",
            "no linear layer is named 'nothing'",
        ),
    ],
)
def test_what_the_base_tells_is_said_before_the_first_stage(
    stages: str, field: str, says: str, small_world: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=says) as refused:
        run_recipe(loaded(small_world, stages), tmp_path / "run")
    assert refused.value.field == f"stages.{field}"
    assert not (tmp_path / "run" / "data").exists()


PARTS = """\
  first: {kind: train, sources: mined, dims: [8, 4], epochs: 2}
  second: {like: first, model: first, seed: 1}
  third: {like: second, dims: []}
"""


def test_a_stage_like_another_follows_its_overrides(small_world: Path) -> None:
    stages = loaded(small_world, PARTS, "first.dims=[2]", "second.epochs=3").recipe.stages
    assert [stages[name].dims for name in ("first", "second", "third")] == [[2], [2], []]
    assert [stages[name].epochs for name in ("first", "second", "third")] == [2, 3, 3]
    assert [stages[name].model for name in ("first", "second", "third")] == ["base", "first", "first"]
    assert "like" not in stages["third"].model_dump()


@pytest.mark.parametrize(
    ("was", "becomes", "field", "says"),
    [
        ("like: first", "like: frist", "second.like", "no stage 'frist' above.*'first'"),
        ("like: first", "like: third", "second.like", "no stage 'third' above"),
        (
            "like: first",
            "like: mined, kind: train",
            "second.like",
            "of the kind 'mine', this stage of",
        ),
        ("seed: 1", "seeed: 1", "second.seeed", "unknown key 'seeed'.*'seed'"),
        ("seed: 1", "lik: first", "second.lik", "'like'"),
    ],
)
def test_what_is_wrong_with_a_stage_like_another(
    was: str, becomes: str, field: str, says: str, small_world: Path
) -> None:
    with pytest.raises(InputError, match=says) as refused:
        loaded(small_world, PARTS.replace(was, becomes))
    assert refused.value.line == 8
    assert refused.value.field == f"stages.{field}"


def test_the_schema_for_editors_knows_it() -> None:
    (stage,) = json_schema()["properties"]["stages"]["patternProperties"].values()
    forms = stage["anyOf"]
    assert [form.get("required") for form in forms] == [None, ["like"]]


def test_a_base_whose_words_cannot_be_hidden_is_refused_before_the_first_stage(
    small_world: Path, tmp_path: Path
) -> None:
    decoder = tiny_encoder("qwen3").save(tmp_path / "decoder")
    stages = "  last: {kind: adapt, texts: mined}\n"
    with pytest.raises(InputError, match="see only what stands before them") as refused:
        run_recipe(loaded(small_world, stages, f"base={decoder}"), tmp_path / "run")
    assert refused.value.field == "stages.last.model"
    assert not (tmp_path / "run" / "data").exists()
