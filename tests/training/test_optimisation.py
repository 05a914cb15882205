"""AdamW, schedules, clipping."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.models import tiny_encoder
from cosmith.training.optimisation import adamw, clip_gradients, learning_rate


def test_biases_and_norms_do_not_decay() -> None:
    module = tiny_encoder("bert").module
    optimizer = adamw(module, learning_rate=0.1, weight_decay=0.5)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert len(decay) == len(list(module.parameters()))
    for name, parameter in module.named_parameters():
        free = name.endswith("bias") or "LayerNorm" in name
        assert decay[id(parameter)] == (0.0 if free else 0.5), name


def test_the_optimizer_is_adamw_as_published() -> None:
    """One step on one matrix and one bias, by hand (arXiv:1711.05101, algorithm 2)."""
    linear = torch.nn.Linear(3, 2)
    weight, bias = linear.weight.detach().clone(), linear.bias.detach().clone()
    optimizer = adamw(linear, learning_rate=0.1, weight_decay=0.5)
    linear(torch.ones(1, 3)).square().sum().backward()
    assert linear.weight.grad is not None
    assert linear.bias.grad is not None
    sign, bias_sign = linear.weight.grad.sign(), linear.bias.grad.sign()
    optimizer.step()
    torch.testing.assert_close(linear.weight, weight * (1 - 0.1 * 0.5) - 0.1 * sign, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(linear.bias, bias - 0.1 * bias_sign, rtol=1e-4, atol=1e-5)


def test_frozen_parameters_are_left_out_and_all_frozen_is_refused() -> None:
    linear = torch.nn.Linear(2, 2)
    linear.bias.requires_grad_(False)
    assert sum(len(group["params"]) for group in adamw(linear, learning_rate=1, weight_decay=0).param_groups) == 1
    linear.weight.requires_grad_(False)
    with pytest.raises(InputError, match="no parameter to train"):
        adamw(linear, learning_rate=1, weight_decay=0)


@given(
    st.sampled_from(["linear", "cosine", "constant", "wsd"]), st.integers(1, 500), st.floats(0, 0.5), st.floats(0, 0.5)
)
def test_schedules_rise_to_the_peak_and_never_rise_again(schedule: Any, steps: int, warm: float, fall: float) -> None:
    warmup, decay = round(warm * steps), round(fall * steps)
    rates = [
        learning_rate(step, peak=2.0, schedule=schedule, steps=steps, warmup=warmup, decay=decay)
        for step in range(steps)
    ]
    assert all(0 < rate <= 2 for rate in rates)
    rising, falling = rates[: warmup + 1], rates[warmup:]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    if warmup < steps and (schedule != "wsd" or warmup + decay <= steps):
        assert rates[warmup] == pytest.approx(2.0)
    if schedule == "constant":
        assert set(falling) == {2.0}
    if schedule == "wsd" and decay:
        assert rates[-1] == pytest.approx(2.0 / min(decay, steps - warmup))


def test_cosine_is_half_way_at_half_time() -> None:
    assert learning_rate(50, peak=1, schedule="cosine", steps=100, warmup=0, decay=0) == pytest.approx(0.5)
    assert learning_rate(75, peak=1, schedule="linear", steps=100, warmup=50, decay=0) == pytest.approx(0.5)


def test_clipping_scales_to_the_limit_and_tells_the_norm_before() -> None:
    linear = torch.nn.Linear(2, 2)
    linear.weight.grad, linear.bias.grad = torch.full((2, 2), 3.0), torch.zeros(2)
    assert clip_gradients(linear, None) == pytest.approx(6.0)
    assert clip_gradients(linear, 1.5) == pytest.approx(6.0)
    assert math.isclose(float(linear.weight.grad.norm()), 1.5, rel_tol=1e-4)
    assert clip_gradients(linear, 100.0) == pytest.approx(1.5, rel=1e-4)


def test_an_infinite_gradient_is_told_and_left_alone() -> None:
    linear = torch.nn.Linear(2, 2)
    linear.weight.grad = torch.tensor([[float("inf"), 1.0], [1.0, 1.0]])
    assert clip_gradients(linear, 1.0) == math.inf
    assert linear.weight.grad[0, 1] == 1.0
