"""Documents by their best chunk: what is found is what scoring everything would find."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data.chunking import Chunking, chunk_texts
from cosmith.data.ragged import offsets_of
from cosmith.errors import InputError
from cosmith.retrieval import ChunkTable, Hits, Index, rerank, search_best_chunk, search_dense
from cosmith.retrieval.best_chunk import best_chunks_of, depth_in_chunks

DOCUMENTS = {
    "fruit": "Apples are red or green. Pears are yellow. Plums are blue.",
    "train": "The train leaves at noon. It stops twice. There is a dining car.",
    "snake": "A python is a large snake.",
}
SENTENCES = Chunking("sentences", tokens=7)


@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=12),
    queries=st.integers(0, 4),
    k=st.integers(1, 14),
    block=st.integers(1, 20),
    seed=st.integers(0, 2**16),
)
def test_it_is_the_maximum_over_chunks(counts: list[int], queries: int, k: int, block: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    offsets = offsets_of(np.array(counts))
    # Small whole numbers: equal scores are common, and every sum is exact.
    chunks = draw.integers(-2, 3, size=(offsets[-1], 3)).astype(np.float32)
    asked = draw.integers(-2, 3, size=(queries, 3)).astype(np.float32)
    positions, scores, best = search_best_chunk(asked, chunks, offsets, k, block=block)
    assert positions.shape == scores.shape == best.shape == (queries, min(k, len(counts)))
    for row, query in enumerate(asked):
        every = [(chunks[begin:end] @ query) for begin, end in itertools.pairwise(offsets)]
        order = sorted(range(len(counts)), key=lambda number: (-every[number].max(), number))[:k]
        assert positions[row].tolist() == order
        assert scores[row].tolist() == [every[number].max() for number in order]
        assert best[row].tolist() == [offsets[number] + every[number].argmax() for number in order]


@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=12),
    k=st.integers(1, 14),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**16),
)
def test_any_search_of_chunks_gives_the_documents_of_the_best(
    counts: list[int], k: int, share: float, seed: int
) -> None:
    """Some chunks are no hits, as in a search by words; and many score the same."""
    draw = np.random.default_rng(seed)
    offsets = offsets_of(np.array(counts))
    scores = draw.integers(1, 4, size=offsets[-1]).astype(np.float32)
    scores[draw.random(offsets[-1]) < share] = -np.inf
    order = np.argsort(-scores, kind="stable")[: depth_in_chunks(offsets, k)]
    positions, found, best = best_chunks_of(order[None], scores[order][None], offsets, k)
    of_document = np.array([scores[begin:end].max() for begin, end in itertools.pairwise(offsets)])
    expected = np.argsort(-of_document, kind="stable")[:k]
    hits = ~np.isneginf(of_document[expected])
    assert found[0].tolist() == of_document[expected].tolist()
    assert positions[0, hits].tolist() == expected[hits].tolist()
    firsts = [offsets[each] + scores[offsets[each] : offsets[each + 1]].argmax() for each in expected[hits]]
    assert best[0, hits].tolist() == firsts


def test_one_chunk_a_document_is_dense_search() -> None:
    draw = np.random.default_rng(0)
    documents, queries = draw.normal(size=(50, 8)), draw.normal(size=(700, 8))
    positions, scores, best = search_best_chunk(queries, documents, np.arange(51), 5, block=7)
    expected = search_dense(queries, documents, 5)
    np.testing.assert_array_equal(positions, expected[0])
    np.testing.assert_allclose(scores, expected[1], rtol=1e-6)
    np.testing.assert_array_equal(best, positions)


@pytest.mark.parametrize(
    ("offsets", "k", "said"),
    [([0, 2, 2, 3], 1, "always rise"), ([0, 2], 1, "number of chunks"), ([1, 3], 1, "begin with 0"), ([0, 3], 0, "1")],
)
def test_offsets_that_do_not_fit_are_refused(offsets: list[int], k: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        search_best_chunk(np.ones((1, 2)), np.ones((3, 2)), np.array(offsets), k)


def test_an_index_of_chunks_finds_documents_and_shows_the_passage(words_encoder, tmp_path) -> None:
    encoder = words_encoder()
    chunks = list(chunk_texts(DOCUMENTS, SENTENCES))
    assert len(chunks) == 7
    built = Index.build(encoder, DOCUMENTS, chunks=chunks)
    saved = Index.build(encoder, DOCUMENTS, chunks=iter(chunks), folder=tmp_path / "index")
    again = built.save(tmp_path / "again")
    for index in (built, saved, again, Index.load(tmp_path / "index")):
        hits = index.search(encoder, ["where it stops twice", "yellow pears"], k=2)
        assert hits.ids[:, 0].tolist() == ["train", "fruit"]
        assert len(index) == 3
        assert (index.card.count, index.card.chunks) == (3, 7)
        for row, passage in enumerate(["It stops twice.", "Pears are yellow."]):
            start, stop = hits.spans_of(row)[0]
            assert DOCUMENTS[hits.ids[row, 0]][start:stop] == passage
        assert index.search(encoder, ["yellow pears"], k=2, dim=32).ids[0, 0] == "fruit"
    assert hits.top(1).spans.shape == (2, 1, 2)
    expected = encoder.encode(["Pears are yellow."]) @ encoder.encode(["yellow pears"]).T
    np.testing.assert_allclose(hits.scores[1, 0], expected[0, 0], rtol=1e-5)


def test_an_index_from_before_chunks_is_still_read(words_encoder, tmp_path) -> None:
    encoder = words_encoder()
    Index.build(encoder, DOCUMENTS, folder=tmp_path)
    card = json.loads((tmp_path / "index.json").read_text())
    del card["chunks"]
    (tmp_path / "index.json").write_text(json.dumps(card | {"format": 2}))
    hits = Index.load(tmp_path).search(encoder, ["large snake"], k=1)
    assert (hits.ids[0, 0], hits.spans_of(0)) == ("snake", None)


def test_chunks_of_other_documents_are_refused(words_encoder, tmp_path) -> None:
    chunks = list(chunk_texts(DOCUMENTS, SENTENCES))
    for wrong in (chunks[1:] + chunks[:1], chunks[:-1], [*chunks, chunks[0]]):
        with pytest.raises(InputError, match="Cut these documents, in this order"):
            ChunkTable.of(wrong, DOCUMENTS)
    Index.build(words_encoder(), DOCUMENTS, chunks=chunks, folder=tmp_path)
    array = np.load(tmp_path / "chunks.npy")
    array[0, 0] = 2
    np.save(tmp_path / "chunks.npy", array)
    with pytest.raises(InputError, match="Build the index again"):
        Index.load(tmp_path)


def test_reranking_keeps_the_passages_with_their_documents() -> None:
    class Backwards:
        def score(self, queries, documents, *, instruction="", show_progress=None):
            return np.arange(len(documents), dtype=np.float32)

    ids = np.array([["a", "b", "c"]], dtype=object)
    spans = np.array([[[0, 1], [2, 3], [4, 5]]])
    hits = Hits(ids, np.array([[3, 2, 1]], dtype=np.float32), spans)
    again = rerank(hits, Backwards(), ["q"], {"a": "a", "b": "b", "c": "c"}, top=2)
    assert again.ids.tolist() == [["b", "a", "c"]]
    assert again.spans_of(0) == [(2, 3), (0, 1), (4, 5)]
    with pytest.raises(InputError, match="must be"):
        Hits(ids, hits.scores, spans[:, :1])


def test_reranking_reads_the_passages_if_told() -> None:
    class Letters:
        def score(self, queries, documents, *, instruction="", show_progress=None):
            return np.array([text.count("x") for text in documents], dtype=np.float32)

    documents = {"a": "xxx oo", "b": "x o xx", "c": ""}
    ids = np.array([["a", "b", ""]], dtype=object)
    hits = Hits(ids, np.array([[2, 1, -np.inf]], dtype=np.float32), np.array([[[4, 6], [4, 6], [0, 0]]]))
    whole = rerank(hits, Letters(), ["q"], documents)
    assert whole.of(0) == [("a", 3), ("b", 3)]
    passages = rerank(hits, Letters(), ["q"], documents, passages=True)
    assert passages.of(0) == [("b", 2), ("a", 0)]
    with pytest.raises(InputError, match="whole documents"):
        rerank(Hits(ids, hits.scores), Letters(), ["q"], documents, passages=True)
