"""Parts of tasks: as many items as asked for, with all that belongs to them."""

from __future__ import annotations

import numpy as np
import pytest

from cosmith.data import Collection, StsPairs
from cosmith.data.test_sets import Analogies, CandidateLists, JudgedPairs, LabelledTexts, TrainAndTest
from cosmith.errors import InputError
from cosmith.evaluation import task_of
from cosmith.evaluation.choosing import sampled
from cosmith.evaluation.tasks import SubsetsTask

N = 100
TEXTS = [f"text {n}" for n in range(N)]
OTHERS = [f"other {n}" for n in range(N)]


def test_a_collection_keeps_what_is_judged_of_the_drawn_queries() -> None:
    documents = {f"d{n}": f"document {n}" for n in range(1000)}
    relevance = {f"q{n}": {f"d{n}": 1, f"d{n + 200}": 0} for n in range(N)}
    data = Collection("c", documents, {f"q{n}": TEXTS[n] for n in range(N)}, relevance, instruction="Find.")
    part = sampled(task_of("c", data), 10).data  # type: ignore[attr-defined]
    assert len(part.queries) == 10
    assert len(part.documents) == 200
    assert all(document in part.documents for query in part.queries for document in relevance[query])
    assert part.instruction == "Find."
    assert sampled(task_of("c", data), 10, seed=1).data.queries != part.queries  # type: ignore[attr-defined]
    assert len(sampled(task_of("c", data), 1000).data.documents) == 1000  # type: ignore[attr-defined]


def test_pairs_candidates_and_labels_stay_together() -> None:
    pairs = sampled(task_of("s", StsPairs(TEXTS, OTHERS, np.arange(float(N)), instruction="Tell.")), 7).data  # type: ignore[attr-defined]
    assert len(pairs.first) == 7
    for first, second, score in zip(pairs.first, pairs.second, pairs.scores, strict=True):
        assert (first, second) == (TEXTS[int(score)], OTHERS[int(score)])
    assert pairs.instruction == "Tell."
    lists = CandidateLists(TEXTS, [(f"a {text}",) for text in TEXTS], [(f"b {text}",) for text in TEXTS])
    part = sampled(task_of("r", lists), 7).data  # type: ignore[attr-defined]
    assert [answers[0] for answers in part.positives] == [f"a {query}" for query in part.queries]
    learnt = LabelledTexts(TEXTS, [f"{n % 2}" for n in range(N)])
    intents = sampled(task_of("i", TrainAndTest(learnt, learnt)), 9)
    assert len(intents.data.test) == 9  # type: ignore[attr-defined]
    assert intents.data.train is learnt  # type: ignore[attr-defined]
    assert intents.experiments == 3  # type: ignore[attr-defined]
    questions = Analogies([("a", "b", "c", str(n)) for n in range(N)], ["all"] * N)
    assert len(sampled(task_of("w", questions), 5).data.questions) == 5  # type: ignore[attr-defined]


def test_a_part_that_cannot_be_scored_is_not_taken() -> None:
    rare = JudgedPairs(TEXTS, OTHERS, np.arange(N) == 0)
    task = task_of("rare", rare)
    assert any(sampled(task, 3, seed=seed) is task for seed in range(5)), "most draws have no pair that is alike"


def test_each_of_several_sets_gives_its_part() -> None:
    parts = tuple(task_of(name, StsPairs(TEXTS, OTHERS, np.arange(float(N)))) for name in "ab")
    small = sampled(SubsetsTask("both", parts), 40)
    assert [len(part.data.first) for part in small.parts] == [20, 20]  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="at least 1"):
        sampled(parts[0], 0)
