"""A step's batch in words: which row a text stands in, and what is wrong with the rows themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cosmith.data import RaggedTokens, Source
from cosmith.data.ragged import take_rows

if TYPE_CHECKING:
    from cosmith.training.batch import StepBatch

_SHOWN = 80  # characters of a text


def describe_text(source: Source, rows: NDArray[np.int64], batch: StepBatch, number: int) -> str:
    """Text ``number`` of a step: its role, its row in the Source (from 0), its beginning.

    Args:
        source: What the step's rows come from.
        rows: int64 [R], their numbers.
        batch: The step.
        number: Of the text, from 0 to U - 1.
    """
    structure = batch.structure
    shown = shown_text(source.texts[int(structure.text[number])])
    for role, texts, owners in (
        ("query", structure.query, None),
        ("positive", structure.positives, structure.positive_row),
        ("negative", structure.negatives, structure.negative_row),
    ):
        places = (texts == number).nonzero()
        if len(places):
            row = int(places[0]) if owners is None else int(owners[int(places[0])])
            return f"a {role} of row {int(rows[row])} of {source.name!r}, {shown!r}"
    return repr(shown)


def shown_text(text: str) -> str:
    """The beginning of a text, in one line."""
    shown = " ".join(text.split())
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"


def batch_problems(source: Source, rows: NDArray[np.int64], batch: StepBatch, vocabulary: int) -> list[str]:
    """What is wrong with the rows of a step before any model has seen them: one clause each.

    Args:
        source: What they come from.
        rows: int64 [R], their numbers.
        batch: The step.
        vocabulary: How many tokens the model knows.
    """
    return [
        f"{describe_text(source, rows, batch, number)} {what}"
        for number, what in token_problems(batch.tokens, vocabulary)
    ] + score_problems(source, rows)


def score_problems(source: Source, rows: NDArray[np.int64]) -> list[str]:
    """Scores of these rows [R] that are no finite number: which text of which row has which, a clause each."""
    if source.scores is None:
        return []
    scores, offsets = take_rows(source.scores, source.arrays.score_offsets, rows)
    found = []
    for place in np.flatnonzero(~np.isfinite(scores)).tolist():
        owner = int(np.searchsorted(offsets, place, side="right")) - 1
        row, within = source.row(int(rows[owner])), place - int(offsets[owner])
        role = "positive" if within < len(row.positives) else "negative"
        text = shown_text((*row.positives, *row.negatives)[within])
        found.append(f"a {role} of row {int(rows[owner])} of {source.name!r}, {text!r} has the score {scores[place]}")
    return found


def token_problems(tokens: RaggedTokens, vocabulary: int) -> list[tuple[int, str]]:
    """Texts without tokens or with tokens that the model does not know: (number, what)."""
    found = [(int(number), "has no token") for number in np.flatnonzero(tokens.lengths == 0)]
    unknown = np.flatnonzero((tokens.values < 0) | (tokens.values >= vocabulary))
    owners = np.searchsorted(tokens.offsets, unknown, side="right") - 1
    for number, place in dict(zip(owners.tolist(), unknown.tolist(), strict=True)).items():
        found.append((number, f"has the token {int(tokens.values[place])}, but the model knows {vocabulary:,}"))
    return sorted(found)
