"""Models that become one, and the errors for those that cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.errors import CosmithError, InputError
from cosmith.models import Encoder, tiny_encoder
from cosmith.training import Candidate, merge, pareto_front


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
    ("other", "field"),
    [
        (tiny_encoder("qwen3"), "model_type"),
        (tiny_encoder("bert", hidden=16, layers=1), "hidden_size"),
        (encoder(9, pooling="cls"), "pooling"),
        (prompted(encoder(9)), "prompts"),
    ],
)
def test_models_that_are_not_alike_are_refused_and_the_difference_named(other: Encoder, field: str) -> None:
    other.name = "other"
    with pytest.raises(InputError, match=rf"model-1 and other cannot be merged: .*{field}"):
        merge([MODELS[0], other])


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
