"""A step's rows become distinct texts and a structure that says the same as the rows."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import Source, SourceSettings, TrainingRow
from cosmith.errors import InputError
from cosmith.losses import contrastive, preset
from cosmith.models import Encoder, tiny_encoder
from cosmith.training.batch import StepBatch, assemble, tokenise
from cosmith.training.teaching import teach

PLAIN = tiny_encoder("bert", hidden=8, layers=1)
PROMPTED = Encoder(
    PLAIN.module["backbone"], PLAIN.tokenizer, replace(PLAIN.spec, prompts={"query": "q: "}), name="prompted"
)

text = st.sampled_from([f"text {letter}" for letter in "abcdefgh"])
rows = st.lists(
    st.builds(
        TrainingRow,
        query=text,
        positives=st.lists(text, min_size=1, max_size=3).map(tuple),
        negatives=st.lists(text, max_size=3).map(tuple),
        label=st.integers(0, 2),
    ),
    min_size=1,
    max_size=8,
)


def decode(batch: StepBatch, encoder: Encoder) -> list[str]:
    """The texts that the step's tokens stand for, prompt included."""
    values = [batch.tokens.values[start:end] for start, end in itertools.pairwise(batch.tokens.offsets)]
    decoded = [encoder.tokenizer.tokenizer.decode(ids, skip_special_tokens=True) for ids in values]
    return [text.replace(" ##", "").replace(" : ", ": ") for text in decoded]


@settings(deadline=None, max_examples=60)
@given(rows, st.data(), st.booleans())
def test_a_batch_says_what_its_rows_say(given_rows: list[TrainingRow], data: st.DataObject, prompted: bool) -> None:
    encoder = PROMPTED if prompted else PLAIN
    source = Source.from_rows("some", given_rows)
    numbers = np.array(data.draw(st.lists(st.integers(0, len(given_rows) - 1), min_size=1, max_size=6)))
    batch = assemble(tokenise(encoder, source), numbers)
    texts, structure = decode(batch, encoder), batch.structure
    as_query = (lambda text: "q: " + text) if prompted else (lambda text: text)

    assert len(set(texts)) == len(texts) == structure.embeddings
    taken = [given_rows[number] for number in numbers]
    assert [texts[place] for place in structure.query] == [as_query(row.query) for row in taken]
    for row, said in enumerate(taken):
        assert [texts[p] for p in structure.positives[structure.positive_row == row]] == list(said.positives)
        assert [texts[p] for p in structure.negatives[structure.negative_row == row]] == list(said.negatives)
    assert structure.label is not None
    assert structure.label.tolist() == [row.label for row in taken]

    bare = [text.removeprefix("q: ") for text in texts]
    for left in range(len(texts)):
        for right in range(len(texts)):
            assert (structure.text[left] == structure.text[right]) == (bare[left] == bare[right])

    known = {(texts[q], texts[d]) for q, d in zip(structure.known_query, structure.known_document, strict=True)}
    in_step = {text for row in taken for text in (*row.positives, *row.negatives)}
    if not prompted:  # one entry a text, in whatever role it stands
        in_step |= {row.query for row in taken}
    asked = {row.query for row in taken}
    assert known == {
        (as_query(row.query), positive)
        for row in given_rows
        if row.query in asked
        for positive in row.positives
        if positive in in_step
    }


def test_symmetric_tasks_read_both_sides_alike() -> None:
    row = TrainingRow("one", ("two",))
    retrieval = tokenise(PROMPTED, Source.from_rows("r", [row]))
    pairs = tokenise(PROMPTED, Source.from_rows("p", [row], SourceSettings(task="sts", in_batch_negatives=True)))
    assert retrieval.roles_differ
    assert not pairs.roles_differ
    assert decode(assemble(pairs, np.array([0])), PROMPTED) == ["q: one", "q: two"]


def test_lengths_of_the_source_go_before_those_of_the_run() -> None:
    source = Source.from_rows("s", [TrainingRow("a b c d e f", ("g h i j k l",))], SourceSettings(max_query_length=4))
    tokens = assemble(tokenise(PLAIN, source, max_query_length=5, max_document_length=6), np.array([0])).tokens
    assert sorted(tokens.lengths.tolist()) == [4, 6]
    assert tokens.truncated.all()


@settings(deadline=None, max_examples=30)
@given(rows, st.data())
def test_scores_and_teacher_stand_beside_their_texts(given_rows: list[TrainingRow], data: st.DataObject) -> None:
    """Each score is a code of its row and text, each vector of the teacher that of the text in its role."""
    codes = {text: float(number) for number, text in enumerate(sorted({t for r in given_rows for t in texts_of(r)}))}
    scored = [
        replace(row, scores=tuple(100 * number + codes[text] for text in row.positives + row.negatives))
        for number, row in enumerate(given_rows)
    ]
    source = Source.from_rows("some", scored)
    numbers = np.array(data.draw(st.lists(st.integers(0, len(given_rows) - 1), min_size=1, max_size=6)))
    for student in (PLAIN, PROMPTED):
        tokenised = tokenise(student, source)
        batch = assemble(replace(tokenised, teacher=teach(PROMPTED, source)), numbers)
        texts = [source.texts[int(number)] for number in batch.structure.text]
        structure = batch.structure
        assert structure.positive_score is not None
        assert structure.negative_score is not None
        for owners, documents, scores in (
            (structure.positive_row, structure.positives, structure.positive_score),
            (structure.negative_row, structure.negatives, structure.negative_score),
        ):
            expected = [
                100 * numbers[row] + codes[texts[document]]
                for row, document in zip(owners.tolist(), documents.tolist(), strict=True)
            ]
            assert scores.tolist() == expected
        queries = set(structure.query.tolist())
        for place, text in enumerate(texts):
            as_query = place in queries if tokenised.roles_differ else text in {row.query for row in scored}
            expected_vector = PROMPTED.encode([text], prompt="query" if as_query else "document")[0]
            assert structure.teacher is not None
            np.testing.assert_allclose(structure.teacher[place], expected_vector, atol=1e-5)


def test_a_score_that_is_not_finite_is_told_by_its_row() -> None:
    source = Source.from_rows("some", [TrainingRow(f"q{n}", ("p",), ("n",), scores=(1.0, 0.0)) for n in range(4)])
    scores = np.array(source.scores)
    scores[2 * 3 + 1] = np.inf
    spoilt = replace(source, arrays=replace(source.arrays, scores=scores))
    with pytest.raises(InputError, match="a negative of row 3 of 'some', 'n' has the score inf"):
        assemble(tokenise(PLAIN, spoilt), np.array([1, 3, 0]))


def texts_of(row: TrainingRow) -> tuple[str, ...]:
    return (row.query, *row.positives, *row.negatives)


def test_embedded_twice_a_text_has_an_embedding_in_each_role() -> None:
    source = Source.from_rows("same", [TrainingRow(word, (word,)) for word in ("one", "two", "three")])
    once, twice = tokenise(PLAIN, source), replace(tokenise(PLAIN, source), embed_twice=True)
    assert assemble(once, np.arange(3)).structure.embeddings == 3
    batch = assemble(twice, np.arange(3))
    assert decode(batch, PLAIN) == ["one", "two", "three"] * 2
    assert batch.structure.query.tolist() == [0, 1, 2]
    assert batch.structure.positives.tolist() == [3, 4, 5]
    assert batch.structure.text.tolist() == [0, 1, 2] * 2


def test_other_parts_of_the_answers_document_are_no_negatives() -> None:
    """The mask that the preset ``default`` has acts in training: a row's only candidate of its own page counts not."""
    parts = [("q one", "part one", "page"), ("q two", "part two", "page"), ("q three", "part three", "book")]
    known = Source.from_rows("parts", [TrainingRow(q, (p,), document_group=document) for q, p, document in parts])
    batch = assemble(tokenise(PLAIN, known), np.arange(3))
    group = dict(zip(decode(batch, PLAIN), batch.structure.document_group.tolist(), strict=True))
    assert group == {"q one": -1, "q two": -1, "q three": -1, "part one": 0, "part two": 0, "part three": 1}

    spec = preset("default", margin=None)
    vectors = torch.nn.functional.normalize(torch.eye(6) + 0.3, dim=1)
    with_pages = contrastive(vectors, batch.structure, spec)
    unknown = replace(known, arrays=replace(known.arrays, document_groups=None))
    without = assemble(tokenise(PLAIN, unknown), np.arange(3)).structure
    assert without.document_group is None
    assert with_pages < contrastive(vectors, without, spec)
    told_apart = contrastive(vectors, batch.structure, replace(spec, same_document=False))
    assert told_apart == contrastive(vectors, without, spec)
