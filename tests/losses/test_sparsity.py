"""The regulariser of sparse vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cosmith.losses.sparsity import active, flops, warmed_up


def test_hand_numbers() -> None:
    vectors = torch.tensor([[1.0, 0.0, 2.0], [3.0, 0.0, -2.0]])
    assert float(flops(vectors)) == (1 + 3) ** 2 / 4 + 0 + (2 + 2) ** 2 / 4
    assert float(flops(vectors[:0])) == 0
    assert active(vectors) == 2.0
    assert [warmed_up(8.0, step, 4) for step in (0, 1, 2, 4, 9)] == [0.0, 0.5, 2.0, 8.0, 8.0]
    assert warmed_up(8.0, 0, 0) == 8.0


def test_gradient_and_shares_of_columns() -> None:
    torch.manual_seed(0)
    vectors = torch.rand(5, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(flops, (vectors,))
    parts = torch.stack([flops(vectors, columns=slice(start, end)) for start, end in ((0, 3), (3, 3), (3, 7))])
    torch.testing.assert_close(parts.sum(), flops(vectors))


def test_equal_to_sentence_transformers(tmp_path: Path) -> None:
    from sentence_transformers.sparse_encoder.losses import FlopsLoss

    vectors = torch.rand(6, 40).sub(0.5).relu()
    theirs: Any = FlopsLoss.__new__(FlopsLoss)
    torch.nn.Module.__init__(theirs)
    theirs.threshold = None
    assert float(flops(vectors)) == pytest.approx(float(theirs.compute_loss_from_embeddings(vectors)), rel=1e-6)
