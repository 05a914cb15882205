from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score

from cosmith.data.test_sets import ParallelTexts
from cosmith.errors import InputError
from cosmith.evaluation.tasks import BitextMiningTask, SubsetsTask
from cosmith.evaluation.tasks.bitext_mining import found_pairs, margin_nearest, nearest_rows


def test_values_by_hand():
    found = found_pairs(np.array([0, 0, 2]))  # the second takes the first's translation
    assert found["f1"].tolist() == pytest.approx([2 / 3, 0, 1])
    assert found["precision"].tolist() == pytest.approx([1 / 2, 0, 1])
    assert found["accuracy"].tolist() == [1, 0, 1]


@given(st.integers(1, 12).flatmap(lambda n: st.lists(st.integers(0, n - 1), min_size=n, max_size=n)))
def test_f1_is_scikit_learns_with_the_rows_as_classes(chosen):
    gold, found = np.arange(len(chosen)), found_pairs(np.array(chosen))
    options = {"average": "weighted", "zero_division": 0}
    assert found["f1"].mean() == pytest.approx(f1_score(gold, chosen, **options))
    assert found["precision"].mean() == pytest.approx(precision_score(gold, chosen, **options))


def test_the_margin_gets_past_a_hub(on_circle):
    first = np.array([on_circle(0), on_circle(60)], dtype=np.float32)
    second = np.array([on_circle(20), on_circle(110)], dtype=np.float32)  # the first is near to both
    assert nearest_rows(first, second).tolist() == [0, 0]
    # 60 degrees: 0.766 / ((0.766 + 0.940) / 2) = 0.898 to the hub, 0.643 / ((0.766 + 0.643) / 2) = 0.913 to its own
    assert margin_nearest(first, second, neighbours=1).tolist() == [0, 1]
    assert margin_nearest(first, second).tolist() in ([0, 0], [0, 1])  # more neighbours than texts are all of them


def test_languages_count_alike_whatever_their_size(table_encoder, on_circle):
    table = {"a": 0, "A": 1, "b": 90, "B": 91, "c": 180, "C": 90, "x": 0, "X": 0, "y": 50, "Y": 50}
    encoder = table_encoder({text: on_circle(angle) for text, angle in table.items()})
    large = BitextMiningTask("deu-eng", ParallelTexts(["a", "b", "c"], ["A", "B", "C"]))
    small = BitextMiningTask("fra-eng", ParallelTexts(["x", "y"], ["X", "Y"]))
    task = SubsetsTask("tatoeba", (large, small), by="language")
    assert (task.kind, task.main) == ("bitext-mining", "f1")
    scores = task.evaluate(encoder, resamples=100)
    parts = [part.evaluate(encoder, resamples=0).values["accuracy"] for part in (large, small)]
    assert parts[0] < parts[1] == 1
    assert scores.values["accuracy"] == pytest.approx(np.mean(parts))
    assert scores.per_query["accuracy"].max() == 1
    assert scores.sets == (3, 2)
    assert 0 <= scores.intervals["accuracy"].low <= scores.intervals["accuracy"].high <= 1
    assert scores.query_ids == ("deu-eng/0", "deu-eng/1", "deu-eng/2", "fra-eng/0", "fra-eng/1")
    assert scores.breakdown is not None
    assert scores.breakdown.by == "language"
    assert scores.breakdown.rows["fra-eng"]["accuracy"] == 1
    assert scores.breakdown.rows["deu-eng"]["texts"] == 3
    lone = BitextMiningTask("spa-eng", ParallelTexts(["x"], ["X"]))
    of_one = SubsetsTask("both", (large, lone)).evaluate(encoder, resamples=100)
    assert of_one.intervals == {}, "one text says nothing of how texts differ"
    assert "a set of 1 text: no interval" in of_one.table()


def test_a_constant_model_finds_the_first_for_all(table_encoder):
    encoder = table_encoder({text: [1.0, 0.0] for text in "abAB"})
    values = BitextMiningTask("tiny", ParallelTexts(["a", "b"], ["A", "B"])).evaluate(encoder, resamples=10).values
    assert values["accuracy"] == 1 / 2
    assert values["f1"] == pytest.approx(1 / 3)


def test_what_cannot_be_mined_is_refused():
    with pytest.raises(InputError, match="has no texts"):
        BitextMiningTask("tiny", ParallelTexts([], []))
    one = BitextMiningTask("tiny", ParallelTexts(["a"], ["A"]))
    with pytest.raises(InputError, match="two sets or more of different names"):
        SubsetsTask("both", (one, one))
