"""Scores of texts that have a vector for each token, and how the losses of single vectors work on such scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cosmith.errors import InputError

_TOKENS = 4_096  # of queries that are looked at together


def max_similarity(
    queries: Tensor,
    query_offsets: Tensor,
    documents: Tensor,
    document_offsets: Tensor,
    *,
    block_elements: int = 4_194_304,
) -> Tensor:
    r"""The late-interaction score of each query with each document (Khattab & Zaharia, arXiv:2004.12832, equation 3).

    :math:`S_{q,d} = \sum_{i \in q} \max_{j \in d} E_{q_i} \cdot E_{d_j}`.

    Args:
        queries: [tokens, D] token vectors of Q texts, text after text.
        query_offsets: int64 [Q + 1], where each text begins.
        documents: [tokens, D] likewise of N texts, each of which has at least one.
        document_offsets: int64 [N + 1].
        block_elements: How many products to hold at a time. It changes memory and speed, not the result.

    Returns:
        [Q, N], float32 (float64 of float64 vectors); differentiable once with respect to the vectors.

    Raises:
        InputError: When the widths differ, offsets do not fit the vectors, or a document has no vector.
    """
    _check(queries, query_offsets, "queries")
    _check(documents, document_offsets, "documents")
    if queries.shape[1] != documents.shape[1]:
        raise InputError(f"queries have {queries.shape[1]} dimensions, documents {documents.shape[1]}",
                         field="queries", remedy="Encode both with the same model.")  # fmt: skip
    if bool((document_offsets.diff() < 1).any()):
        raise InputError("a document has no vector", field="document_offsets", remedy="Leave it out.")
    if block_elements < 1:
        raise InputError(f"must be at least 1, not {block_elements}", field="block_elements")
    scores = _MaxSimilarity.apply(  # type: ignore[no-untyped-call]
        queries, query_offsets.to(queries.device), documents, document_offsets.to(queries.device), block_elements
    )
    return cast(Tensor, scores)


def _check(vectors: Tensor, offsets: Tensor, name: str) -> None:
    if vectors.ndim != 2 or not vectors.is_floating_point():
        raise InputError(f"have shape {list(vectors.shape)} and type {vectors.dtype}", field=name,
                         remedy="Give floating-point numbers of shape [tokens, dimensions].")  # fmt: skip
    if len(offsets) < 1 or int(offsets[0]) != 0 or int(offsets[-1]) != len(vectors):
        raise InputError(f"do not fit {len(vectors)} vectors", field=f"offsets of {name}")


@dataclass(frozen=True)
class _Block:
    """Some documents as a rectangle [documents, longest], whose empty cells hold their last token once more.

    Attributes:
        documents: [n] their numbers.
        tokens: [n, longest] the token of each cell.
    """

    documents: Tensor
    tokens: Tensor


def _blocks(offsets: Tensor, rows: int, block_elements: int) -> Iterator[_Block]:
    """Documents of similar length together, so many that their cells × ``rows`` stay under ``block_elements``."""
    lengths = offsets.diff()
    order = torch.argsort(lengths, descending=True, stable=True)
    sizes = lengths[order].tolist()
    start = 0
    while start < len(sizes):
        stop = min(len(sizes), start + max(1, block_elements // max(rows * sizes[start], 1)))
        numbers = order[start:stop]
        within = torch.arange(sizes[start], device=offsets.device).clamp(max=(lengths[numbers] - 1)[:, None])
        yield _Block(numbers, offsets[numbers][:, None] + within)
        start = stop


class _MaxSimilarity(torch.autograd.Function):
    """Keeps which token of each document was nearest, [query tokens, N], and no products."""

    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, query_offsets: Tensor, documents: Tensor, document_offsets: Tensor, elements: int
    ) -> Tensor:
        with torch.autocast(queries.device.type, enabled=False):
            kind = torch.promote_types(torch.promote_types(queries.dtype, documents.dtype), torch.float32)
            asked, read = queries.detach().to(kind), documents.detach().to(kind)
            query = torch.repeat_interleave(query_offsets.diff())
            count = len(document_offsets) - 1
            remember = any(ctx.needs_input_grad)
            nearest = torch.zeros(len(asked) if remember else 0, count, dtype=torch.int32, device=asked.device)
            scores = asked.new_zeros(len(query_offsets) - 1, count)
            for part in _parts(len(asked), _TOKENS):
                for block in _blocks(document_offsets, max(part.stop - part.start, asked.shape[1]), elements):
                    products = (asked[part] @ read[block.tokens.flatten()].T).view(-1, *block.tokens.shape)
                    if remember:
                        best, place = products.max(2)
                        columns = torch.arange(len(block.documents), device=place.device)
                        nearest[part, block.documents] = block.tokens[columns, place].int()
                    else:
                        best = products.amax(2)  # nine times as fast as with the places
                    sums = asked.new_zeros(len(scores), len(block.documents)).index_add_(0, query[part], best)
                    scores[:, block.documents] += sums
        if remember:
            ctx.save_for_backward(asked, read, query, nearest)
            ctx.elements, ctx.kinds = elements, (queries.dtype, documents.dtype)
        return scores

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        asked, read, query, nearest = ctx.saved_tensors
        by_query, by_document = torch.zeros_like(asked), torch.zeros_like(read)
        # A query's token is drawn to its nearest token of every document by the gradient of that score, and draws it.
        for part in _parts(len(asked), max(1, ctx.elements // max(len(read), 1))):
            weights = asked.new_zeros(part.stop - part.start, len(read))
            weights.scatter_add_(1, nearest[part].long(), outer[query[part]])
            by_query[part] = weights @ read
            by_document.addmm_(weights.T, asked[part])
        return by_query.to(ctx.kinds[0]), None, by_document.to(ctx.kinds[1]), None, None


def _parts(rows: int, size: int) -> Iterator[slice]:
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def as_dot_products(scores: Tensor, query: Tensor, document: Tensor, embeddings: int) -> Tensor:
    """Vectors whose dot products are given scores, so that every loss over queries and documents applies to them.

    A query's vector has a one in its own dimension, a document's in each dimension its score with that query. Between
    two queries, or two documents, the products mean nothing.

    Args:
        scores: [Q, N].
        query: int64 [Q], which of the step's embeddings each row is.
        document: int64 [N], likewise of each column; none of ``query``.
        embeddings: U, how many the step has.

    Returns:
        [U, Q], differentiable with respect to ``scores``.
    """
    vectors = scores.new_zeros(embeddings, len(query))
    vectors[query, torch.arange(len(query), device=query.device)] = 1.0
    return vectors.index_copy(0, document, scores.T.contiguous())
