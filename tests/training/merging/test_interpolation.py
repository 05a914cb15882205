"""Between base and tuned model."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.errors import CosmithError, InputError
from cosmith.models import Encoder, tiny_encoder
from cosmith.training import best_interpolation, interpolate

BASE = tiny_encoder("bert", seed=0, hidden=8, layers=1)
TUNED = tiny_encoder("bert", seed=1, hidden=8, layers=1)


def weights(encoder: Encoder) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in encoder.module.parameters()])


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_weights_are_the_weighted_mean(alpha: float) -> None:
    before = BASE.fingerprint(), TUNED.fingerprint()
    mixed = interpolate(BASE, TUNED, alpha)
    torch.testing.assert_close(weights(mixed), (1 - alpha) * weights(BASE) + alpha * weights(TUNED))
    assert (BASE.fingerprint(), TUNED.fingerprint()) == before
    if alpha in (0, 1):  # exactly, not about
        assert mixed.fingerprint() == (BASE, TUNED)[int(alpha)].fingerprint()


def share_of(encoder: Encoder) -> float:
    """The alpha that an encoder was made with."""
    left, right = weights(BASE), weights(TUNED)
    return round(float((weights(encoder) - left) @ (right - left) / (right - left).square().sum()), 3)


@settings(deadline=None, max_examples=25)
@given(st.dictionaries(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.sampled_from([0.1, 0.2, 0.3]), min_size=5))
def test_the_best_share_wins_and_ties_go_to_the_base(scores: dict[float, float]) -> None:
    best, table = best_interpolation(BASE, TUNED, lambda encoder: scores[share_of(encoder)])
    assert [(mixed.alpha, mixed.score) for mixed in table] == sorted(scores.items())
    assert share_of(best) == min(alpha for alpha, score in scores.items() if score == max(scores.values()))


def test_the_base_always_takes_part_and_known_scores_are_not_asked_for() -> None:
    asked: list[float] = []

    def dev(encoder: Encoder) -> float:
        asked.append(share_of(encoder))
        return -asked[-1]

    best, table = best_interpolation(BASE, TUNED, dev, grid=(0.5, 1.0), known={1.0: -1.0})
    assert asked == [0.0, 0.5]
    assert [mixed.alpha for mixed in table] == [0.0, 0.5, 1.0]
    assert best.fingerprint() == BASE.fingerprint()


def test_other_architectures_shares_and_scores_are_refused() -> None:
    with pytest.raises(InputError, match="same weights"):
        interpolate(BASE, tiny_encoder("qwen3"), 0.5)
    with pytest.raises(InputError) as error:
        interpolate(BASE, TUNED, 1.5)
    assert error.value.field == "alpha"
    with pytest.raises(CosmithError, match="is a number"):
        best_interpolation(BASE, TUNED, lambda _: float("nan"))
