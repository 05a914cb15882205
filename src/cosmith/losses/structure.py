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


@dataclasses.dataclass(frozen=True)
class StepStructure:
    """The rows of one training step over its U distinct embeddings; made by :meth:`of`.

    The embeddings of a step are those of its distinct (text, prompt) pairs, each encoded once; rows refer to them by
    number. All fields are int64 tensors on one device.

    Attributes:
        query: [R] embedding of each row's query.
        positives: [NP] embeddings of the rows' positives, any number (at least one) a row.
        positive_row: [NP] row of each positive.
        negatives: [NN] embeddings of the rows' negatives, any number a row, also none.
        negative_row: [NN] row of each negative.
        text: [U] identity of the text behind each embedding; two embeddings of one text under two prompts share it.
        known_query: [K] with ``known_document``: pairs (query, document) of embeddings that are known to be relevant
            to each other though no row of this step says so. A row's own positives are always known.
        known_document: [K].
        label: [R] class of each row, negative for none; or None.
        document_group: [U] number of the document that each text is a part of, negative for none; or None.
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

        Raises:
            InputError: When a field is not a vector of integers, two that belong together differ in length, a number
                points outside of the step, or a row has no positive.
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
        bare = torch.bincount(fields["positive_row"], minlength=rows) == 0
        if bool(bare.any()):
            raise InputError(
                f"row {int(bare.nonzero()[0])} (counted from 0) has no positive",
                field="positive_row",
                remedy="Give every row at least one positive, or leave the row out.",
            )
        labels = None if label is None else _vector("label", label)
        groups = None if document_group is None else _vector("document_group", document_group)
        if labels is not None:
            _check_length("label", labels, rows, "the step has rows:")
        if groups is not None:
            _check_length("document_group", groups, texts, "the step has embeddings:")
        return cls(**fields, label=labels, document_group=groups)

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


def _vector(name: str, value: Integers) -> Tensor:
    try:  # an array is copied: it may be a read-only map of a file, which torch warns about
        tensor = torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"cannot be read as integers ({error})", field=name) from error
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
