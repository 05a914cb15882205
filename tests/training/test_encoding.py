"""Which graphs are kept changes memory, never gradients."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.models.dropout import Dropout
from cosmith.training.encoding import CACHED, DIRECT, Strategy, backward_step, graph_bytes
from cosmith.training.mixing import key_of

TEXTS, WIDTH = 23, 12


def network(dropout: float, kind: type[torch.nn.Dropout] = torch.nn.Dropout) -> torch.nn.Module:
    torch.manual_seed(0)
    layers = (torch.nn.Linear(WIDTH, 32), torch.nn.Tanh(), kind(dropout), torch.nn.Linear(32, 8))
    return torch.nn.Sequential(*layers)


INPUTS = torch.randn(TEXTS, WIDTH, generator=torch.Generator().manual_seed(1))


def loss(embeddings: torch.Tensor) -> torch.Tensor:
    """Every embedding meets every other one."""
    unit = torch.nn.functional.normalize(embeddings, dim=1)
    return torch.logsumexp(unit @ unit.T / 0.1, 1).mean()


def cut(sizes: list[int], order: np.ndarray | None = None) -> list[np.ndarray]:
    numbers = np.arange(TEXTS) if order is None else order
    return [part for part in np.split(numbers, np.cumsum(sizes)) if len(part)]


def gradients(
    module: torch.nn.Module,
    batches: list[np.ndarray],
    strategy: Strategy,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    lanes: int = 1,
) -> tuple[float, list[torch.Tensor]]:
    module.zero_grad()
    value = backward_step(
        lambda batch: module(INPUTS[batch]),
        batches,
        loss,
        module.parameters(),
        strategy=strategy,
        seed=7,
        autocast=autocast,
        lanes=lanes,
    )
    return value, [parameter.grad.clone() for parameter in module.parameters()]


def bf16() -> AbstractContextManager[object]:
    return torch.autocast("cpu", torch.bfloat16, cache_enabled=False)


STRATEGIES = (CACHED, Strategy(keep=1), Strategy(keep=3), Strategy(keep=99), Strategy(memory=1), Strategy(memory=5000))


@pytest.mark.parametrize("autocast", [nullcontext, bf16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_every_strategy_gives_the_same_bits(
    dropout: float, autocast: Callable[[], AbstractContextManager[object]]
) -> None:
    module = network(dropout)
    batches = cut([5, 5, 4, 4, 3])
    value, expected = gradients(module, batches, DIRECT, autocast)
    assert all(torch.count_nonzero(gradient) for gradient in expected)
    for strategy in STRATEGIES:
        other, got = gradients(module, batches, strategy, autocast)
        assert other == value
        for left, right in zip(got, expected, strict=True):
            assert torch.equal(left, right)


@pytest.mark.parametrize("autocast", [nullcontext, bf16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("lanes", [2, 3, 9])
def test_lanes_give_the_same_bits_each_time_and_what_one_lane_gives(
    lanes: int, autocast: Callable[[], AbstractContextManager[object]]
) -> None:
    module, batches = network(0.5, Dropout), cut([5, 5, 4, 4, 3])
    value, expected = gradients(module, batches, DIRECT, autocast, lanes)
    for strategy in (DIRECT, *STRATEGIES):
        other, got = gradients(module, batches, strategy, autocast, lanes)
        assert other == value
        assert all(torch.equal(left, right) for left, right in zip(got, expected, strict=True))
    one, alone = gradients(module, batches, DIRECT, autocast)
    assert one == value
    for left, right in zip(alone, expected, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)


def test_an_error_in_a_lane_is_raised() -> None:
    def embed(batch: np.ndarray) -> torch.Tensor:
        raise MemoryError("too large")

    with pytest.raises(MemoryError, match="too large"):
        backward_step(embed, cut([9]), loss, network(0.0).parameters(), lanes=2)


def test_lanes_add_to_what_is_there_and_leave_out_what_has_no_gradient() -> None:
    """A parameter that no text reaches, a frozen one, and two that autograd hands one tensor for."""
    shift, twin, idle = (torch.nn.Parameter(torch.zeros(8)) for _ in range(3))
    frozen = torch.nn.Parameter(torch.ones(8), requires_grad=False)
    module = network(0.0)

    def embed(batch: np.ndarray) -> torch.Tensor:
        return (module(INPUTS[batch]) + (shift + twin)) * frozen

    parameters = [*module.parameters(), shift, twin, idle, frozen]
    backward_step(embed, cut([5, 5, 5]), loss, parameters)
    once = [None if parameter.grad is None else parameter.grad.clone() for parameter in parameters]
    backward_step(embed, cut([5, 5, 5]), loss, parameters, lanes=2)
    assert idle.grad is None
    assert frozen.grad is None
    for parameter, gradient in zip(parameters, once, strict=True):
        if gradient is not None:
            torch.testing.assert_close(parameter.grad, 2 * gradient)


def test_the_gradients_are_those_of_plain_autograd() -> None:
    """With dropout, too: the same seeds, one graph over everything."""
    module = network(0.5)
    batches = cut([6, 9])
    parts = []
    for number, batch in enumerate(batches):
        torch.manual_seed(key_of(7, number))
        parts.append(module(INPUTS[batch]))
    value = loss(torch.cat(parts))
    value.backward()
    expected = [parameter.grad.clone() for parameter in module.parameters()]
    got_value, got = gradients(module, batches, CACHED)
    assert got_value == pytest.approx(value.item(), rel=1e-6)
    for left, right in zip(got, expected, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-7)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 8), max_size=6), st.permutations(range(TEXTS)), st.sampled_from([DIRECT, *STRATEGIES]))
def test_micro_batches_and_order_change_nothing(sizes: list[int], order: list[int], strategy: Strategy) -> None:
    module = network(0.0)
    value, expected = gradients(module, [np.arange(TEXTS)], DIRECT)
    other, got = gradients(module, cut(sizes, np.array(order)), strategy)
    assert other == pytest.approx(value, rel=1e-5)
    for left, right in zip(got, expected, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)


def test_gradients_are_added_to_those_that_are_there() -> None:
    module = network(0.0)
    _, once = gradients(module, cut([10]), DIRECT)
    backward_step(lambda batch: module(INPUTS[batch]), cut([10]), loss, module.parameters())
    for parameter, gradient in zip(module.parameters(), once, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)


@pytest.mark.parametrize(
    ("keep", "graphs_of_memory", "kept", "replayed"),
    [
        (None, None, 5, 0),
        (0, None, 0, 5),
        (2, None, 2, 3),
        (None, 2.5, 2, 3),
        (None, 0.1, 1, 4),
        (None, 9, 5, 0),
        (1, 3, 1, 4),
    ],
)
def test_as_many_graphs_live_as_the_strategy_says(
    keep: int | None, graphs_of_memory: float | None, kept: int, replayed: int
) -> None:
    module = network(0.0)
    batches = cut([5, 5, 5, 5])
    graph = graph_bytes(lambda: module(INPUTS[batches[0]]), list(module.parameters()))
    memory = None if graphs_of_memory is None else int(graph * graphs_of_memory)
    embedded: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    def embed(batch: np.ndarray) -> torch.Tensor:
        result = module(INPUTS[batch])
        embedded.append(weakref.ref(result))
        return result

    def observed(embeddings: torch.Tensor) -> torch.Tensor:
        tensors = [reference() for reference in embedded]
        alive.append(sum(tensor is not None and tensor.requires_grad for tensor in tensors))
        embedded.clear()
        return loss(embeddings)

    backward_step(embed, batches, observed, module.parameters(), strategy=Strategy(keep, memory))
    assert alive == [kept]
    assert len(embedded) == replayed


def test_the_bytes_of_a_graph_are_those_that_autograd_saves() -> None:
    linear = torch.nn.Linear(100, 50)
    inputs = torch.randn(10, 100)
    size = graph_bytes(lambda: torch.tanh(linear(inputs)), linear.parameters())
    assert size == 4 * (10 * 100 + 10 * 50)  # the input of the product and the output of tanh; no weights
