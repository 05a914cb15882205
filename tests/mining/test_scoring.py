"""Scores of a source's candidates, by an encoder and by a cross-encoder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import Source, SourceSettings, TrainingRow
from cosmith.errors import InputError
from cosmith.mining import cosine_scores, cross_encoder_scores, outscored_positives, scoring
from cosmith.models import CrossEncoder, tiny_encoder

texts = st.text("abc ", min_size=1, max_size=5).filter(str.strip)
ROWS = [
    TrainingRow("one", ("first", "second"), ("third",)),
    TrainingRow("two", (), ("fourth", "first"), label=0),
    TrainingRow("one", ("third",)),
    TrainingRow("first", ("one",), ("first", "two")),
]
LABELLED = [TrainingRow(row.query, row.positives, row.negatives, label=0) for row in ROWS]


@pytest.fixture
def source() -> Source:
    return Source.from_rows("four", LABELLED, SourceSettings(instruction="find it"))


def row_by_row(source: Source, score) -> list[float]:
    return [score(row.query, text) for row in source.rows() for text in (*row.positives, *row.negatives)]


def test_cosines_stand_where_their_texts_do(source, hash_encoder, monkeypatch) -> None:
    encoder = hash_encoder()
    monkeypatch.setattr(scoring, "_BLOCK", 3)
    scores = cosine_scores(encoder, source)
    assert scores.dtype == np.float32
    expected = row_by_row(source, lambda query, text: float(encoder.encode([query])[0] @ encoder.encode([text])[0]))
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    (queries, prompt), (documents, document_prompt) = encoder.calls[:2]
    assert (sorted(queries), prompt) == (["first", "one", "two"], "query")
    assert (sorted(documents), document_prompt) == (["first", "fourth", "one", "second", "third", "two"], "document")
    np.testing.assert_allclose(
        cosine_scores(encoder, source, dim=3),
        row_by_row(source, lambda q, t: float(encoder.encode([q], dim=3)[0] @ encoder.encode([t], dim=3)[0])),
        atol=1e-6,
    )


def test_a_cross_encoder_scores_each_pair_once_by_its_logit(source, monkeypatch) -> None:
    model = CrossEncoder.from_encoder(tiny_encoder("bert"), seed=1)
    asked: list[tuple[str, str]] = []
    score = model.score

    def told(queries, documents, **options):
        asked.extend(zip(queries, documents, strict=True))
        assert options["instruction"] == "find it"
        return score(queries, documents, **options)

    monkeypatch.setattr(scoring, "_BLOCK", 3)
    monkeypatch.setattr(model, "score", told)
    scores = cross_encoder_scores(model, source)
    assert len(asked) == len(set(asked)) == 8  # of nine pairs, one twice
    shown = row_by_row(source, lambda query, text: float(score([query], [text])[0]))
    np.testing.assert_allclose(1 / (1 + np.exp(-scores)), shown, atol=1e-5)
    assert scores.min() < 0 or scores.max() > 1, "logits, not probabilities"


@settings(max_examples=50)
@given(st.data())
def test_rows_with_a_negative_above_a_positive_are_found(data: st.DataObject) -> None:
    rows = []
    for _ in range(data.draw(st.integers(1, 6))):
        positives, negatives = (tuple(data.draw(st.lists(texts, min_size=least, max_size=3))) for least in (1, 0))
        grades = st.lists(st.integers(-2, 2), min_size=len(positives + negatives), max_size=len(positives + negatives))
        rows.append(TrainingRow(data.draw(texts), positives, negatives, scores=tuple(map(float, data.draw(grades)))))
    found = outscored_positives(Source.from_rows("any", rows))
    wrong = [
        row for row in rows if max(row.scores[len(row.positives) :], default=-9) > min(row.scores[: len(row.positives)])
    ]
    assert found.rows == len(wrong)
    assert {each.query for each in found.examples} == {row.query for row in wrong}
    for each in found.examples:
        assert each.score > each.positive_score
        assert any(row.query == each.query and each.document in row.negatives for row in wrong)
    gaps = [each.score - each.positive_score for each in found.examples]
    assert gaps == sorted(gaps, reverse=True)


def test_without_scores_nothing_is_outscored(source) -> None:
    with pytest.raises(InputError, match="no scores"):
        outscored_positives(source)
