"""Labelled texts become rows whose positives share the label and whose negatives do not."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import Source, SourceSettings, example_pairs, label_pairs, self_pairs
from cosmith.errors import InputError

labelled = st.dictionaries(
    st.text("abcd", min_size=1, max_size=4), st.sampled_from(["red", "green", "blue", "grey"]), min_size=2, max_size=14
).filter(lambda classes: len(set(classes.values())) > 1)


@settings(max_examples=60, deadline=None)
@given(labelled, st.integers(1, 3), st.integers(0, 9), st.integers(0, 3))
def test_examples_are_of_the_class_and_negatives_spread_over_the_others(
    classes: dict[str, str], positives: int, negatives: int, seed: int
) -> None:
    sizes = Counter(classes.values())
    if max(sizes.values()) == 1:
        with pytest.raises(InputError, match="no class has two texts"):
            example_pairs("some", list(classes), list(classes.values()))
        return
    texts, labels = list(classes), list(classes.values())
    source = example_pairs("some", texts, labels, positives=positives, negatives=negatives, seed=seed)
    rows = {row.query: row for row in source.rows()}
    assert set(rows) == {text for text, label in classes.items() if sizes[label] > 1}
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    for text, row in rows.items():
        mine = classes[text]
        assert row.label == numbers[mine]
        assert text not in row.positives
        assert len(set(row.positives)) == len(row.positives) == min(positives, sizes[mine] - 1)
        assert {classes[other] for other in row.positives} == {mine}
        others = {label: size for label, size in sizes.items() if label != mine}
        assert len(set(row.negatives)) == len(row.negatives) == min(negatives, sum(others.values()))
        drawn = Counter(classes[other] for other in row.negatives)
        assert mine not in drawn
        for label, size in others.items():  # none has two more than another that has one left
            assert drawn[label] == size or drawn[label] >= max(drawn.values(), default=0) - 1
    again = example_pairs("some", texts, labels, positives=positives, negatives=negatives, seed=seed)
    assert again.fingerprint() == source.fingerprint()


def test_another_seed_draws_others() -> None:
    texts, labels = [f"text {n}" for n in range(30)], [n % 3 for n in range(30)]
    assert example_pairs("a", texts, labels).fingerprint() != example_pairs("a", texts, labels, seed=1).fingerprint()


def test_labels_as_positives() -> None:
    texts, labels = ["i lost it", "hello", "it is gone", "bye"], ["lost card", "greeting", "lost card", "farewell"]
    source = label_pairs("intents", texts, labels)
    assert isinstance(source, Source)
    assert not source.settings.uses_in_batch_negatives
    rows = list(source.rows())
    assert [(row.query, row.positives, row.label) for row in rows] == [
        ("i lost it", ("lost card",), 0), ("hello", ("greeting",), 1), ("it is gone", ("lost card",), 0),
        ("bye", ("farewell",), 2),
    ]  # fmt: skip
    assert [set(row.negatives) for row in rows[:2]] == [{"greeting", "farewell"}, {"lost card", "farewell"}]
    few = label_pairs("intents", texts, labels, negatives=1, settings=SourceSettings(task="clustering"))
    assert {len(row.negatives) for row in few.rows()} == {1}
    assert few.settings.task == "clustering"


def test_texts_as_their_own_positives() -> None:
    source = self_pairs("texts", ["one", "two", "one"])
    assert [(row.query, row.positives) for row in source.rows()] == [("one", ("one",)), ("two", ("two",))]
    assert source.settings.loss == "simcse"
    assert source.settings.uses_in_batch_negatives


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (["a"], [1, 2], "2 labels for 1 texts"),
        (["a", "b"], [1, 1], "fewer than two classes"),
        (["a", "b", "a"], [1, 2, 2], r"text 2 \(counted from 0\) stands in two classes: 'a'"),
        ("abcabd", [1, 2, 3, 1, 2, 3], r"\[texts\]: is one text, not a list of texts"),
        (["a", "b"], "xy", r"\[labels\]: is one text, not a list of labels"),
        (["a", " "], [1, 2], r"text 1 \(counted from 0\) is only whitespace"),
        (["a", "b", "c"], [1, 2, float("nan")], r"text 2 \(counted from 0\) has no class: its label is nan"),
        (["a", "b", "c"], [1, None, 2], r"text 1 \(counted from 0\) has no class: its label is None"),
    ],
)
def test_what_cannot_be_classes(texts: list[str], labels: list[int], message: str) -> None:
    for make in (example_pairs, label_pairs):
        with pytest.raises(InputError, match=message):
            make("some", texts, labels)  # type: ignore[arg-type]


def test_a_label_that_is_embedded_is_a_text() -> None:
    with pytest.raises(InputError, match="the label 1 is not a text but of type int"):
        label_pairs("some", ["a", "b"], [1, "1"])  # type: ignore[list-item]
    with pytest.raises(InputError, match="the label '' is empty"):
        label_pairs("some", ["a", "b"], ["red", ""])
    rows = list(example_pairs("some", ["a", "b", "c", "d"], [1, "1", 1, "1"]).rows())  # told apart, never embedded
    assert [(row.positives, set(row.negatives)) for row in rows[:2]] == [(("c",), {"b", "d"}), (("d",), {"a", "c"})]


@pytest.mark.parametrize(("field", "count"), [("positives", 0), ("positives", -1), ("negatives", -1)])
def test_a_count_that_makes_no_sense(field: str, count: int) -> None:
    texts, labels = ["a", "b", "c", "d"], ["x", "y", "x", "y"]
    with pytest.raises(InputError, match=f"must be at least {int(field == 'positives')}, got {count}") as refused:
        example_pairs("some", texts, labels, **{field: count})  # type: ignore[arg-type]
    assert refused.value.field == field
    if field == "negatives":
        with pytest.raises(InputError, match="must be at least 0, got -1"):
            label_pairs("some", texts, labels, negatives=count)


def test_one_text_is_no_list_of_texts() -> None:
    with pytest.raises(InputError, match="is one text"):
        self_pairs("some", "abc")
