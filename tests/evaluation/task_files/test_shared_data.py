"""Every real data set is a task as it lies there."""

from __future__ import annotations

import pytest

from cosmith.errors import InputError
from cosmith.evaluation.task_files import read_task

KINDS = {
    "scifact": ("retrieval", {"documents": 5183, "queries": 300}),
    "medquad": ("retrieval", {"documents": 15809, "queries": 1397}),
    "cranfield": ("retrieval", {"documents": 1398, "queries": 225}),
    "stsb": ("sts", {"texts": 2 * 1379}),
    "banking77": ("classification", {"test texts": 3080}),
    "clus-stackoverflow": ("clustering", {"texts": 16384}),
    "tatoeba": ("bitext-mining", {"texts": 8390, "translations": 8390}),
    "twitter-url": ("pair-classification", {"texts": 2 * 9334}),
    "wikiqa": ("reranking", {"queries": 237}),
    "analogy": ("analogy", {}),
    "wordsim": ("word-similarity", {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_it_is_read_as_its_kind(name, shared_data):
    kind, counts = KINDS[name]
    task = read_task(shared_data / name).task
    assert task.kind == kind
    texts = {each.what: len(each.texts) for each in task.texts()}
    assert counts.items() <= texts.items()


def test_words_and_analogies_are_all_there(shared_data):
    parts = {part.name: len(part.data) for part in read_task(shared_data / "wordsim").task.parts}
    assert len(parts) == 13
    assert parts["EN-SIMLEX-999"] == 999
    assert [len(part.data) for part in read_task(shared_data / "analogy").task.parts] == [3218, 19544]


def test_raw_text_is_no_task(shared_data):
    with pytest.raises(InputError, match="is plain text without words to compare"):
        read_task(shared_data / "lm-text" / "brown.txt")
