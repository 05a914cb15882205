"""What can be known before the first stage is said before it; and stages that are like others."""

from __future__ import annotations

import json
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
        ("{kind: merge, models: [base, other], scale: 2}", "scale", r"slerp has no scale\. It belongs to task"),
        ("{kind: train, sources: mined, adapter_rank: 8}", "adapter_rank", "there is no adapter, .* Set adapter"),
        ("{kind: train, sources: mined, adapter_targets: [query]}", "adapter_targets", "there is no adapter"),
        ("{kind: train, sources: mined, merge_adapter: false}", "merge_adapter", "there is no adapter"),
        ("{kind: train, sources: mined, alpha: 0.5, mixing: round_robin}", "alpha", "take turns .* Set mixing to prop"),
        ("{kind: train, sources: mined, mixing: round_robin, per_source: {mined: {weight: 2}}}", "per_source",
         "no weight, so that of 'mined' would change nothing. Set mixing"),
        ("{kind: train, sources: mined, decay: 0.5}", "decay", "only the schedule wsd .* Set schedule to wsd"),
        ("{kind: train, sources: mined, loss: triplet, temperature: 0.1}", "temperature",
         "'triplet' has no temperature, so it would change nothing. Leave it out"),
        ("{kind: train-sparse, sources: mined, loss: margin-mse, temperature: 0.1}", "temperature", "no temperature"),
        ("{kind: train, sources: mined, general: general-check}", "general", "without dev .* Name a development set"),
        ("{kind: train, sources: mined, patience: 2}", "patience", "without dev"),
        ("{kind: train, sources: mined, evaluate_every: 5}", "evaluate_every", "without dev"),
        ("{kind: train, sources: mined, interpolate: [0.5]}", "interpolate", "without dev"),
        ("{kind: adapt, texts: data.train, interpolate: true}", "interpolate", "without dev"),
        ("{kind: train-reranker, sources: mined, patience: 2}", "patience", "without dev"),
        ("{kind: train-reranker, sources: mined, teacher_temperature: 2}", "teacher_temperature",
         "binary has no teacher_temperature. Leave it out, or take the loss score-kl"),
    ],
)  # fmt: skip
def test_what_the_recipe_alone_tells(stage: str, field: str | None, says: str, small_world: Path) -> None:
    with pytest.raises(InputError, match=says) as refused:
        loaded(small_world, f"  last: {stage}\n")
    assert refused.value.field == "stages.last" + (f".{field}" if field else "")
    assert refused.value.line == 7


@pytest.mark.parametrize(
    "said",
    [
        "schedule: wsd, decay: 0.5",
        "adapter: lora, adapter_rank: 8, merge_adapter: false",
        "mixing: curriculum, alpha: 0.5, per_source: {mined: {weight: 2}}",
        "interpolate: false, keep_best: false",
        "loss: triplet, temperature: 0.1, per_source: {mined: {loss: classic}}",
    ],
)
def test_settings_that_count_are_taken_and_so_is_what_a_run_has_written_out(said: str, small_world: Path) -> None:
    stage = loaded(small_world, f"  last: {{kind: train, sources: mined, {said}}}\n").recipe.stages["last"]
    written = json.dumps(stage.model_dump(mode="json"))  # with all defaults, as in a run's recipe.yaml
    assert loaded(small_world, f"  last: {written}\n").recipe.stages["last"] == stage


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
