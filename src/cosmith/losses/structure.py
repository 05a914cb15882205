"""Which text of a training step is whose query, positive or negative: :class:`StepStructure`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cosmith.errors import InputError

Integers = Tensor | np.ndarray[Any, Any] | Sequence[int]
Reals = Tensor | np.ndarray[Any, Any] | Sequence[float]


@dataclasses.dataclass(frozen=True)
class StepStructure:
    """The rows of one training step over its U distinct embeddings; made by :meth:`of`.

    The embeddings of a step are those of its distinct (text, prompt) pairs, each encoded once; rows refer to them by
    number. All fields are tensors on one device, int64 but for the scores and the teacher's vectors.

    Attributes:
        query: [R] embedding of each row's query.
        positives: [NP] embeddings of the rows' positives, any number a row (none only where a label stands instead).
        positive_row: [NP] row of each positive.
        negatives: [NN] embeddings of the rows' negatives, any number a row, also none.
        negative_row: [NN] row of each negative.
        text: [U] identity of the text behind each embedding; two embeddings of one text under two prompts share it.
        known_query: [K] with ``known_document``: pairs (query, document) of embeddings that are known to be relevant
            to each other though no row of this step says so. A row's own positives are always known.
        known_document: [K].
        label: [R] class of each row, negative for none; or None.
        document_group: [U] number of the document that each text is a part of, negative for none; or None.
        positive_score: [NP] floats: a teacher's score, or a graded similarity, of each positive; or None.
        negative_score: [NN] floats: likewise of each negative; None exactly where ``positive_score`` is.
        teacher: [U, Dt] floats: what another model makes of each text, unit rows; or None.
    """

    query: Tensor
    positives: Tensor
    positive_row: Tensor
    negatives: Tensor
    negative_row: Tensor
    text: Tensor
    known_query: Tensor
    known_document: Tensor
    label: Tensor | None = None
    document_group: Tensor | None = None
    positive_score: Tensor | None = None
    negative_score: Tensor | None = None
    teacher: Tensor | None = None

    @classmethod
    def of(
        cls,
        *,
        query: Integers,
        positives: Integers,
        positive_row: Integers,
        text: Integers,
        negatives: Integers = (),
        negative_row: Integers = (),
        known_query: Integers = (),
        known_document: Integers = (),
        label: Integers | None = None,
        document_group: Integers | None = None,
        positive_score: Reals | None = None,
        negative_score: Reals | None = None,
        teacher: Reals | None = None,
    ) -> StepStructure:
        """Check the numbers of a step and put them into tensors.

        Args:
            query: [R], the fields as described at the class; lists, arrays or tensors of integers.
            positives: [NP].
            positive_row: [NP].
            text: [U].
            negatives: [NN].
            negative_row: [NN].
            known_query: [K].
            known_document: [K].
            label: [R] or None.
            document_group: [U] or None.
            positive_score: [NP] floats or None.
            negative_score: [NN] floats; may be left out where there are no negatives.
            teacher: [U, Dt] floats or None.

        Raises:
            InputError: When a field is not a vector of integers (of finite floats), two that belong together differ
                in length, a number points outside of the step, or a row has neither a positive nor a label.
        """
        given = {
            "query": query, "positives": positives, "positive_row": positive_row, "negatives": negatives,
            "negative_row": negative_row, "text": text, "known_query": known_query, "known_document": known_document,
        }  # fmt: skip
        fields = {name: _vector(name, value) for name, value in given.items()}
        rows, texts = len(fields["query"]), len(fields["text"])
        if rows == 0:
            raise InputError("a step without rows has no loss", field="query", remedy="Give at least one row.")
        for name, other in (
            ("positive_row", "positives"), ("negative_row", "negatives"), ("known_document", "known_query"),
        ):  # fmt: skip
            _check_length(name, fields[name], len(fields[other]), f"{other!r} has")
        for name in ("query", "positives", "negatives", "known_query", "known_document"):
            _check_range(name, fields[name], texts, "embeddings")
        for name in ("positive_row", "negative_row"):
            _check_range(name, fields[name], rows, "rows")
        labels = None if label is None else _vector("label", label)
        groups = None if document_group is None else _vector("document_group", document_group)
        if labels is not None:
            _check_length("label", labels, rows, "the step has rows:")
        if groups is not None:
            _check_length("document_group", groups, texts, "the step has embeddings:")
        bare = torch.bincount(fields["positive_row"], minlength=rows) == 0
        if labels is not None:
            bare &= labels < 0
        if bool(bare.any()):
            raise InputError(
                f"row {int(bare.nonzero()[0])} (counted from 0) has no positive",
                field="positive_row",
                remedy="Give every row at least one positive or a label, or leave the row out.",
            )
        scores: dict[str, Tensor | None] = {"positive_score": None, "negative_score": None}
        if positive_score is not None or negative_score is not None:
            for name, given_scores, other in (
                ("positive_score", positive_score, "positives"), ("negative_score", negative_score, "negatives"),
            ):  # fmt: skip
                vector = _reals(name, () if given_scores is None else given_scores, 1)
                _check_length(name, vector, len(fields[other]), f"{other!r} has")
                scores[name] = vector
        vectors = None if teacher is None else _reals("teacher", teacher, 2)
        if vectors is not None:
            _check_length("teacher", vectors, texts, "the step has embeddings:")
        return cls(
            **fields,
            label=labels,
            document_group=groups,
            positive_score=scores["positive_score"],
            negative_score=scores["negative_score"],
            teacher=vectors,
        )

    @property
    def rows(self) -> int:
        """R, the number of rows."""
        return len(self.query)

    @property
    def embeddings(self) -> int:
        """U, the number of distinct embeddings that the rows refer to."""
        return len(self.text)

    def to(self, device: torch.device | str) -> StepStructure:
        """The same structure on ``device``."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        moved = {name: value.to(device) for name, value in fields.items() if value is not None}
        return dataclasses.replace(self, **moved)


def _tensor(name: str, value: Reals, kind: str) -> Tensor:
    try:  # an array is copied: it may be a read-only map of a file, which torch warns about
        return torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"cannot be read as {kind} ({error})", field=name) from error


def _reals(name: str, value: Reals, dimensions: int) -> Tensor:
    tensor = _tensor(name, value, "numbers")
    if tensor.ndim != dimensions or tensor.is_complex() or tensor.dtype == torch.bool:
        raise InputError(
            f"is a {tensor.ndim}-dimensional array of {str(tensor.dtype).removeprefix('torch.')}",
            field=name,
            remedy=f"Give numbers in {dimensions} dimension{'s' * (dimensions > 1)}.",
        )
    reals = tensor if tensor.dtype == torch.float64 else tensor.float()
    finite = reals.isfinite()  # a loss that only compares would go on as if NaN were the highest number
    if not bool(finite.all()):
        place = (~finite).nonzero()[0].tolist()
        raise InputError(
            f"entry {', '.join(map(str, place))} is {float(reals[tuple(place)])}",
            field=name,
            remedy="Give finite numbers; leave out the rows that have none.",
        )
    return reals


def _vector(name: str, value: Integers) -> Tensor:
    tensor = _tensor(name, value, "integers")
    if tensor.numel() == 0:
        tensor = tensor.to(torch.int64)
    if tensor.ndim != 1 or tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise InputError(
            f"is a {tensor.ndim}-dimensional array of {str(tensor.dtype).removeprefix('torch.')}",
            field=name,
            remedy="Give a one-dimensional array of integers.",
        )
    return tensor.to(torch.int64)


def _check_length(name: str, tensor: Tensor, expected: int, reason: str) -> None:
    if len(tensor) != expected:
        raise InputError(f"has {len(tensor)} entries where {reason} {expected}", field=name)


def _check_range(name: str, tensor: Tensor, size: int, of: str) -> None:
    outside = (tensor < 0) | (tensor >= size)
    if bool(outside.any()):
        place = int(outside.nonzero()[0])
        raise InputError(f"entry {place} is {int(tensor[place])}, but the step has {size} {of}", field=name)
