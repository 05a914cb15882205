"""Inference may take torch's fused attention: it says what the attention of training says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.models.variable_length import FlatLayout, _attention


class _Layer(torch.nn.Module):
    is_causal = False


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 130), min_size=1, max_size=20),
    causal=st.booleans(),
    window=st.none() | st.integers(1, 140),
    key_heads=st.sampled_from([1, 2, 4]),
    padding=st.integers(0, 3),
    seed=st.integers(0, 99),
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_both_ways_of_attention_agree(
    dtype: torch.dtype, lengths: list[int], causal: bool, window: int | None, key_heads: int, padding: int, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    sizes = np.sort(np.array(lengths))
    layout = FlatLayout.of(sizes, torch.device("cpu"), np.maximum(sizes - padding, 1))

    def states(heads: int) -> torch.Tensor:
        return torch.randn(1, heads, int(sizes.sum()), 8, generator=draw).to(dtype)

    query, key, value = states(4), states(key_heads), states(key_heads)
    said = {"is_causal": causal, "sliding_window": window, "text_layout": layout}
    with torch.no_grad():
        trained = _attention(_Layer(), query, key, value, None, **said)[0]
    with torch.inference_mode():
        inferred = _attention(_Layer(), query, key, value, None, **said)[0]
    close = 1e-5 if dtype == torch.float32 else 4e-2
    torch.testing.assert_close(inferred.clone(), trained, atol=close, rtol=close)
