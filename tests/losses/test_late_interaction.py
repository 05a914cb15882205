"""Late-interaction scores: by hand, by a loop, by sentence-transformers; their gradient; losses over them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.losses import max_similarity
from cosmith.losses.late_interaction import as_dot_products


def ragged(counts: list[int], seed: int, width: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(sum(counts), width, generator=generator, dtype=torch.float64)
    offsets = torch.tensor([0, *np.cumsum(counts).tolist()])
    return torch.nn.functional.normalize(vectors, dim=1), offsets


def test_by_hand() -> None:
    queries = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    documents = torch.tensor([[0.8, 0.6], [0.0, -1.0], [0.0, 1.0]])
    scores = max_similarity(queries, torch.tensor([0, 2, 3]), documents, torch.tensor([0, 2, 3]))
    torch.testing.assert_close(scores, torch.tensor([[0.8 + 0.6, 0.0 + 1.0], [0.96, 0.8]]))


@given(st.lists(st.integers(0, 5), max_size=6), st.lists(st.integers(1, 9), max_size=8), st.integers(1, 200))
@settings(deadline=None, max_examples=60)
def test_as_the_loop_whatever_the_block(asked: list[int], read: list[int], elements: int) -> None:
    (queries, starts), (documents, begins) = ragged(asked, 1), ragged(read, 2)
    queries.requires_grad_()
    documents.requires_grad_()
    expected = torch.zeros(len(asked), len(read), dtype=torch.float64)
    for row in range(len(asked)):
        for column in range(len(read)):
            products = queries[starts[row] : starts[row + 1]] @ documents[begins[column] : begins[column + 1]].T
            expected[row, column] = products.amax(1).sum()
    scores = max_similarity(queries, starts, documents, begins, block_elements=elements)
    torch.testing.assert_close(scores, expected)
    outer = torch.randn(expected.shape, dtype=torch.float64)
    if expected.numel() and sum(asked):
        got = torch.autograd.grad(scores, (queries, documents), outer)
        wanted = torch.autograd.grad(expected, (queries, documents), outer)
        for one, other in zip(got, wanted, strict=True):
            torch.testing.assert_close(one, other)


def test_the_gradient_is_that_of_finite_differences() -> None:
    (queries, starts), (documents, begins) = ragged([3, 2], 1), ragged([2, 4, 1], 2)
    assert torch.autograd.gradcheck(
        lambda one, other: max_similarity(one, starts, other, begins, block_elements=7),
        (queries.requires_grad_(), documents.requires_grad_()),
    )


def test_as_sentence_transformers() -> None:
    from sentence_transformers.util import maxsim

    (queries, starts), (documents, begins) = ragged([4, 1, 3], 1), ragged([2, 6, 5, 1], 2)
    rows = [
        [vectors[a:b].float() for a, b in pairwise(offsets)]
        for vectors, offsets in ((queries, starts), (documents, begins))
    ]
    torch.testing.assert_close(max_similarity(queries.float(), starts, documents.float(), begins), maxsim(*rows))


def test_scores_become_dot_products() -> None:
    scores = torch.randn(2, 3, requires_grad=True)
    vectors = as_dot_products(scores, torch.tensor([4, 1]), torch.tensor([0, 2, 3]), 5)
    torch.testing.assert_close(vectors[[4, 1]] @ vectors[[0, 2, 3]].T, scores)
    (vectors[4] @ vectors[2]).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(scores.grad, torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))


def test_what_does_not_fit_is_said() -> None:
    vectors, offsets = ragged([2, 1], 1)
    for arguments, said in (
        ((vectors, offsets, vectors, torch.tensor([0, 0, 3])), "no vector"),
        ((vectors, offsets, vectors[:, :2], offsets), "5 dimensions, documents 2"),
        ((vectors, offsets[:-1], vectors, offsets), "do not fit"),
        ((vectors.long(), offsets, vectors, offsets), "int64"),
    ):
        with pytest.raises(InputError, match=said):
            max_similarity(*arguments)
