"""Models that become one, and the errors for those that cannot."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from cosmith.errors import CosmithError, InputError
from cosmith.models import AdapterSpec, Encoder, tiny_encoder
from cosmith.models.adapters import add_adapter, merge_adapter
from cosmith.models.tokenization import TextTokenizer
from cosmith.training import Candidate, MergeMethod, interpolate, merge, pareto_front


def encoder(seed: int, **changes: Any) -> Encoder:
    made = tiny_encoder("bert", seed=seed, hidden=8, layers=1, **changes)
    made.name = f"model-{seed}"
    return made


def prompted(one: Encoder) -> Encoder:
    one.spec = replace(one.spec, prompts={"query": "query: "})
    return one


MODELS = [encoder(seed) for seed in range(1, 5)]
BASE = encoder(0)


def weights(one: Encoder) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in one.module.parameters()])


STACKED = torch.stack([weights(model) for model in MODELS])


def shares_of(one: Encoder, others: Sequence[Encoder]) -> list[float]:
    """The mixture of the others that an encoder is, by least squares."""
    columns = torch.stack([weights(other) for other in others], 1)
    return [round(float(x), 4) for x in torch.linalg.lstsq(columns, weights(one)[:, None]).solution.flatten()]


def test_a_soup_is_the_mean() -> None:
    before = [model.fingerprint() for model in MODELS]
    result = merge(MODELS)
    torch.testing.assert_close(weights(result.encoder), STACKED.mean(0))
    assert [model.fingerprint() for model in MODELS] == before
    assert result.candidates == ()
    assert result.chosen.shares == (0.25,) * 4
    assert shares_of(merge(MODELS[:2], weights=[3, 1]).encoder, MODELS[:2]) == [0.75, 0.25]


def test_slerp_keeps_the_length_of_the_weights_where_the_mean_does_not() -> None:
    name = "backbone.encoder.layer.0.attention.self.query.weight"
    lengths = [float(model.module.state_dict()[name].norm()) for model in MODELS[:2]]
    merged = {how: float(merge(MODELS[:2], how).encoder.module.state_dict()[name].norm()) for how in ("slerp", "soup")}
    assert merged["soup"] < 0.8 * min(lengths)
    assert min(lengths) * 0.99 < merged["slerp"] < max(lengths) * 1.01


def test_task_arithmetic_and_ties_start_from_the_base() -> None:
    added = merge(MODELS[:2], "task-arithmetic", base=BASE, scale=0.5).encoder
    assert shares_of(added, [BASE, *MODELS[:2]]) == [0.0, 0.5, 0.5]
    assert merge([BASE, BASE], "ties", base=BASE).encoder.fingerprint() == BASE.fingerprint()
    whole = merge(MODELS[:1], "ties", base=BASE, density=1.0).encoder
    torch.testing.assert_close(weights(whole), weights(MODELS[0]))


def with_adapter(kind: Any, seed: int) -> Encoder:
    """The base with an adapter that changes much; two of them differ in rank and scale, too."""
    pytest.importorskip("peft")
    one = encoder(0)
    one.name = f"{kind}-{seed}"
    add_adapter(one.module["backbone"], AdapterSpec(kind, rank=seed + 1, alpha=8.0 * seed), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in one.module.named_parameters():
            if "lora_" in name:
                value.add_(0.3 * torch.rand(value.shape, generator=generator))
    return one


def merged_first(one: Encoder) -> Encoder:
    one = one.copy()
    merge_adapter(one.module["backbone"])
    return one


@pytest.mark.parametrize("method", ["soup", "slerp", "interpolation", "task-arithmetic", "ties", "greedy-soup"])
@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_models_with_adapters_merge_as_the_whole_models_do(kind: str, method: MergeMethod) -> None:
    """Factors and norms averaged one by one would be another model."""
    beside = [with_adapter(kind, seed) for seed in (1, 2)]
    whole = [merged_first(one) for one in beside]
    before = [one.fingerprint() for one in beside]
    target = 0.4 * weights(BASE) + 0.6 * sum(weights(one) for one in whole) / 2

    def dev(one: Encoder) -> float:
        return -float((weights(one) - target).norm())

    ours, theirs = (merge(models, method, base=BASE, dev=dev) for models in (beside, whole))
    assert torch.equal(weights(ours.encoder), weights(theirs.encoder))
    assert ours.chosen == theirs.chosen
    assert ours.chosen.name != "base"
    assert float((weights(ours.encoder) - weights(BASE)).norm()) > 0.1
    assert all(parameter.requires_grad for parameter in ours.encoder.module.parameters())
    assert [one.fingerprint() for one in beside] == before


def test_a_merged_model_with_another_adapter_cannot_be_taken_for_the_first_model() -> None:
    """An adapter that is saved alone names the folder of the model that it stands beside."""
    loaded = MODELS[0].copy()
    backbone: Any = loaded.module["backbone"]
    backbone.config.name_or_path = "model-1"
    merged: Any = merge([loaded, MODELS[1]]).encoder.module["backbone"]
    assert (merged.config.name_or_path, backbone.config.name_or_path) == ("", "model-1")


def test_interpolation_is_between_the_whole_weights() -> None:
    tuned = with_adapter("lora", 1)
    middle = (weights(BASE) + weights(merged_first(tuned))) / 2
    torch.testing.assert_close(weights(interpolate(BASE, tuned, 0.5)), middle)
    torch.testing.assert_close(weights(interpolate(tuned, BASE, 0.5)), middle)
    both = (weights(merged_first(tuned)) + weights(merged_first(with_adapter("lora", 2)))) / 2
    torch.testing.assert_close(weights(interpolate(tuned, with_adapter("lora", 2), 0.5)), both)


def test_ties_keeps_the_largest_changes_of_the_whole_model() -> None:
    """The one tensor that has changed more than all others is the only one that stays changed."""
    changed = BASE.copy()
    layer = "backbone.encoder.layer.0.output.dense.weight"
    with torch.no_grad():
        for name, value in changed.module.state_dict().items():
            if value.is_floating_point():
                value.add_(1.0 if name == layer else 0.01)
    numbers = {name: value.numel() for name, value in BASE.module.state_dict().items() if value.is_floating_point()}
    merged = merge([changed], "ties", base=BASE, density=numbers[layer] / sum(numbers.values())).encoder
    states = [one.module.state_dict() for one in (merged, BASE)]
    assert {name for name in states[0] if not torch.equal(states[0][name], states[1][name])} == {layer}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", ["model", "base"])
def test_weights_that_are_no_numbers_are_refused_and_named(place: str, value: float) -> None:
    broken = encoder(7)
    name = "backbone.encoder.layer.0.output.dense.weight"
    with torch.no_grad():
        broken.module.state_dict()[name][0, :3] = value
    said = "model-7" if place == "model" else "the base"
    models, base = ([MODELS[0], broken], BASE) if place == "model" else (MODELS[:2], broken)
    with pytest.raises(
        InputError, match=rf"3 of the \d+ numbers of {name} of {said} are not finite\. .*cosmith doctor"
    ):
        merge(models, base=base)


def test_sums_that_overflow_are_refused() -> None:
    with pytest.raises(InputError, match=r"the sum of .* is not finite"):
        merge(MODELS[:2], weights=[1e308, 1e308])
    with pytest.raises(CosmithError, match="overflow in backbone"):
        merge(MODELS[:2], "task-arithmetic", base=BASE, scale=1e300)


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(4)), st.lists(st.floats(-1, 1), min_size=4, max_size=4))
def test_a_greedy_soup_is_never_worse_than_the_best_model(order: list[int], wanted: list[float]) -> None:
    """Whatever a development set likes: here, weights near to a random point of the models' span."""
    target = torch.tensor(wanted) @ STACKED

    def dev(one: Encoder) -> float:
        return -float((weights(one) - target).norm())

    models = [MODELS[number] for number in order]
    result = merge(models, "greedy-soup", dev=dev)
    assert dev(result.encoder) == pytest.approx(result.chosen.dev)
    assert result.chosen.dev >= max(map(dev, models))
    assert shares_of(result.encoder, models) == [round(share, 4) for share in result.chosen.shares]


def test_a_greedy_soup_takes_all_that_help_and_none_that_does_not() -> None:
    target = STACKED[:2].mean(0)
    result = merge(MODELS, "greedy-soup", dev=lambda one: -float((weights(one) - target).norm()))
    assert result.chosen.shares == (0.5, 0.5, 0.0, 0.0)
    assert result.chosen.name == "soup of model-1 and model-2"
    assert len(result.candidates) == 4 + 3


def test_interpolation_finds_the_best_share_and_tells_what_was_forgotten() -> None:
    tuned = MODELS[0]
    target = 0.3 * weights(BASE) + 0.7 * weights(tuned)
    result = merge(
        [tuned],
        "interpolation",
        base=BASE,
        grid=(0.25, 0.5, 0.75, 1.0),
        dev=lambda one: -float((weights(one) - target).norm()),
        general=lambda one: -float((weights(one) - weights(BASE)).norm()),
    )
    assert result.chosen.name == "0.25 base + 0.75 tuned"
    assert result.chosen.shares == (0.75, 0.25)
    assert shares_of(result.encoder, [tuned, BASE]) == [0.75, 0.25]
    assert [one.name for one in result.front] == [
        "base", "0.75 base + 0.25 tuned", "0.5 base + 0.5 tuned", "0.25 base + 0.75 tuned",
    ]  # fmt: skip
    assert merge([tuned], "interpolation", base=BASE, dev=lambda _: 0.5).encoder.fingerprint() == BASE.fingerprint()


def test_whole_numbers_and_prompts_are_the_first_models() -> None:
    merged = merge(MODELS[:2]).encoder
    for name, value in merged.module.state_dict().items():
        if not value.is_floating_point():
            assert torch.equal(value, MODELS[0].module.state_dict()[name])
    assert merged.name == "model-1"


candidates = st.builds(
    Candidate, st.just("x"), st.just(()), st.sampled_from([0.1, 0.2, 0.3]), st.sampled_from([0.1, 0.2, 0.3])
)


@given(st.lists(candidates, max_size=12))
def test_the_front_is_what_nothing_beats(given_: list[Candidate]) -> None:
    front = pareto_front(given_)
    for one in given_:
        point = (one.dev, one.general)
        others = {(other.dev, other.general) for other in given_} - {point}
        beaten = any(dev >= point[0] and general >= point[1] for dev, general in others)
        assert (one in front) != beaten
    assert [one.dev for one in front] == sorted(one.dev for one in front)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (tiny_encoder("qwen3"), "model_type is 'bert' in the first and 'qwen3' in the second"),
        (tiny_encoder("bert", hidden=16, layers=1), "hidden_size is 8 in the first and 16 in the second"),
        (encoder(9, pooling="cls"), "pooling is 'mean' in the first and 'cls' in the second"),
        (prompted(encoder(9)), "prompts is {} in the first and {'query': 'query: '} in the second"),
    ],
)
def test_models_that_are_not_alike_are_refused_and_the_difference_named(other: Encoder, said: str) -> None:
    other.name = "other"
    with pytest.raises(InputError, match=rf"model-1 and other cannot be merged: .*{said}"):
        merge([MODELS[0], other])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_model_that_sentence_transformers_saved_merges_with_the_one_it_came_from(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    mine = tiny_encoder("bert", hidden=16)
    mine.save(tmp_path / "mine")
    SentenceTransformer(str(tmp_path / "mine"), device="cpu").save(str(tmp_path / "theirs"))
    theirs = Encoder.load(tmp_path / "theirs")
    theirs.module["backbone"].config.update({"use_cache": False, "attention_probs_dropout_prob": 0.3})
    torch.testing.assert_close(weights(merge([mine, theirs]).encoder), weights(mine))


def retold(one: Encoder, **changes: Any) -> Encoder:
    """The encoder with parts of its tokenizer.json changed."""
    tokenizer = copy.deepcopy(one.tokenizer.tokenizer)
    said = json.loads(tokenizer.backend_tokenizer.to_str())
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(said | {"model": said["model"] | changes.pop("model", {})}
                                                         | changes))  # fmt: skip
    one.tokenizer = TextTokenizer(tokenizer)
    return one


def test_the_first_token_or_rule_that_differs_between_tokenizers_is_told() -> None:
    vocabulary = json.loads(MODELS[0].tokenizer.tokenizer.backend_tokenizer.to_str())["model"]["vocab"]
    count = len(vocabulary)
    swapped = vocabulary | {"a": vocabulary["b"], "b": vocabulary["a"]}
    sizes = rf"of the tokenizers \({count} and {{}} tokens\) is"
    for changes, said in [
        ({"model": {"vocab": swapped}}, f"token {vocabulary['a']} {sizes.format(count)} 'a' in the first and 'b' in"),
        (
            {"model": {"vocab": vocabulary | {"zz": count}}},
            f"token {count} {sizes.format(count + 1)} absent in the first and 'zz' in the second",
        ),
        (
            {"model": {"max_input_chars_per_word": 7}},
            "the tokenizer's model's max_input_chars_per_word is 100 in the first and 7 in the second",
        ),
        ({"normalizer": None}, "the tokenizer's normalizer is {.* in the first and absent in the second"),
    ]:
        with pytest.raises(InputError, match=f"model-1 and model-9 cannot be merged: {said}"):
            merge([MODELS[0], retold(encoder(9), **changes)])


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"method": "soupe"}, "method"),
        ({"method": "ties"}, "base"),
        ({"method": "greedy-soup"}, "dev"),
        ({"weights": [1]}, "weights"),
        ({"weights": [1, 0, 1, 1]}, "weights"),
        ({"method": "greedy-soup", "dev": len, "weights": [1] * 4}, "weights"),
        ({"method": "ties", "base": BASE, "density": 0.0}, "density"),
        ({"method": "ties", "base": BASE, "scale": 0.0}, "scale"),
        ({"method": "interpolation", "base": BASE, "dev": len, "grid": [2]}, "grid"),
        ({"density": 0.2}, "density"),
        ({"method": "task-arithmetic", "base": BASE, "density": 0.5}, "density"),
        ({"method": "slerp", "scale": 1.0}, "scale"),
        ({"method": "greedy-soup", "dev": len, "grid": [0.5]}, "grid"),
        ({"general": len}, "general"),
    ],
)
def test_arguments_that_make_no_sense(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as error:
        merge(MODELS, **arguments)
    assert error.value.field == field


def test_one_model_is_no_soup_and_a_score_is_a_number() -> None:
    with pytest.raises(InputError, match="2 models or more"):
        merge(MODELS[:1])
    with pytest.raises(CosmithError, match="score of model-1 is nan"):
        merge(MODELS, dev=lambda _: float("nan"))
