from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from cosmith.errors import InputError
from cosmith.retrieval import Bm25
from cosmith.retrieval.lexical import Bm25Scorer

TEXTS = {
    "fox": "The quick brown fox jumps over the lazy dog.",
    "dog": "A dog barks; another dog answers the dog.",
    "cat": "Cats sleep all day.",
    "stop": "the and of",
}


@pytest.fixture
def index() -> Bm25:
    return Bm25.build(list(TEXTS), list(TEXTS.values()))


def test_documents_that_share_words_come_first_and_others_not_at_all(index):
    hits = index.search(["dogs barking", "sleeping cat", "zebra", ""], k=3)
    assert hits.of(0)[0][0] == "dog"
    assert [name for name, _ in hits.of(0)] == ["dog", "fox"]
    assert [name for name, _ in hits.of(1)] == ["cat"]
    assert hits.of(2) == hits.of(3) == []
    assert hits.ids[2].tolist() == ["", "", ""]
    assert np.isneginf(hits.scores[2]).all()


def test_scores_are_those_of_lucene_by_hand(index):
    # Stems without stop words and one-letter words: quick brown fox jump over lazi dog; dog bark anoth dog answer dog;
    # cat sleep all dai; none.
    mean = (7 + 6 + 4 + 0) / 4
    idf = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))
    count = 3
    expected = idf * count / (count + 1.5 * (1 - 0.75 + 0.75 * 6 / mean))
    (first, *_) = index.search(["dog"], k=1).of(0)
    assert first[0] == "dog"
    assert first[1] == pytest.approx(expected, rel=1e-5)


def test_a_word_asked_twice_counts_twice(index):
    once, twice = index.search(["dog", "dog dog"], k=1).scores[:, 0]
    assert twice == pytest.approx(2 * once)


def test_bm25s_gives_the_same_scores(index):
    import bm25s
    import Stemmer

    def tokens(texts):
        return bm25s.tokenize(texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False)

    theirs = bm25s.BM25()
    theirs.index(tokens(list(TEXTS.values())), show_progress=False)
    question = "quick dogs sleep"
    stems = bm25s.tokenize(
        [question], stopwords="en", stemmer=Stemmer.Stemmer("english"), return_ids=False, show_progress=False
    )[0]
    expected = dict(zip(TEXTS, theirs.get_scores(stems), strict=True))
    assert dict(index.search([question], k=4).of(0)) == pytest.approx({k: v for k, v in expected.items() if v > 0})


def test_equal_scores_stand_in_the_order_of_the_corpus():
    index = Bm25.build(["z", "a", "m"], ["one two", "one two", "one two"])
    assert index.search(["two"], k=2).ids.tolist() == [["z", "a"]]


def test_k_may_exceed_the_corpus(index):
    assert index.search(["dog"], k=100).depth == len(TEXTS)


def test_saved_and_loaded_it_finds_the_same_without_pickle(index, tmp_path):
    index.save(tmp_path / "bm25")
    again = Bm25.load(tmp_path / "bm25")
    before, after = index.search(["brown dog", "cat"], 4), again.search(["brown dog", "cat"], 4)
    assert before.ids.tolist() == after.ids.tolist()
    np.testing.assert_array_equal(before.scores, after.scores)
    assert {path.suffix for path in (tmp_path / "bm25").iterdir()} == {".json", ".npy"}
    for path in (tmp_path / "bm25").glob("*.npy"):
        np.load(path, allow_pickle=False)


def test_a_corpus_of_stop_words_is_an_index_in_which_nothing_is_found(tmp_path):
    index = Bm25.build(["a", "b"], ["the", "of and"]).save(tmp_path / "bm25")
    assert index.search(["the dog"], 2).of(0) == []
    assert Bm25.load(tmp_path / "bm25").search(["the dog"], 2).of(0) == []


def test_without_a_language_words_are_taken_as_they_are():
    index = Bm25.build(["a", "b"], ["The dogs", "the dog"], language=None)
    assert [name for name, _ in index.search(["dogs"], 2).of(0)] == ["a"]
    assert len(index.search(["the"], 2).of(0)) == 2


def test_another_language_stems_by_its_own_rules():
    index = Bm25.build(["a", "b"], ["Die Häuser stehen", "ein Baum"], language="german")
    assert [name for name, _ in index.search(["Haus Hauses Häuser"], 2).of(0)] == ["a"]


def test_what_cannot_be_indexed_is_refused():
    with pytest.raises(InputError, match="no documents"):
        Bm25.build([], [])
    with pytest.raises(InputError, match="2 ids for 1 text"):
        Bm25.build(["a", "b"], ["text"])
    with pytest.raises(InputError, match="Did you mean 'english'"):
        Bm25.build(["a"], ["text"], language="englisch")
    with pytest.raises(InputError, match="at least 1"):
        Bm25.build(["a"], ["text"]).search(["text"], 0)


def test_a_folder_that_is_no_index_or_a_damaged_one_is_refused(index, tmp_path):
    with pytest.raises(InputError, match=r"not a BM25 index.*Build"):
        Bm25.load(tmp_path)
    folder = tmp_path / "bm25"
    index.save(folder)
    (folder / "weights.npy").write_bytes((folder / "weights.npy").read_bytes()[:-4])
    with pytest.raises(InputError, match=r"weights\.npy"):
        Bm25.load(folder)
    index.save(folder)
    about = json.loads((folder / "bm25.json").read_text())
    (folder / "bm25.json").write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(InputError, match="format 99"):
        Bm25.load(folder)
    (folder / "bm25.json").write_text("{")
    with pytest.raises(InputError, match=r"bm25\.json"):
        Bm25.load(folder)


def test_a_folder_with_other_things_in_it_is_never_replaced(index, tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="something else than a BM25 index"):
        index.save(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_pairs_are_scored_as_a_search_of_all_documents_scores_them() -> None:
    documents = ["red apples and pears", "a river in spring", "red rivers", "the of"]
    queries = ["red river", "spring apples", "nothing"]
    found = Bm25.build(list("abcd"), documents).search(queries, 4)
    pairs = [(query, text) for query in queries for text in documents] + [("red river", documents[2])]
    scores = Bm25Scorer().score([query for query, _ in pairs], [text for _, text in pairs])
    expected = [dict(found.of(row)).get(name, 0.0) for row in range(3) for name in "abcd"]
    np.testing.assert_array_equal(scores, np.array([*expected, expected[2]], dtype=np.float32))
    with pytest.raises(InputError, match="1 text for 2 documents"):
        Bm25Scorer().score(["a"], ["b", "c"])
