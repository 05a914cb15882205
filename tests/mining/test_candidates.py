"""Where candidates come from, and what is left out of them: by rankings, corpora, limits, documents, cross-encoders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import Passage, Source, TrainingRow, passages_of
from cosmith.errors import InputError
from cosmith.mining import mine_hard_negatives
from cosmith.mining.hard_negatives import blocks
from cosmith.models import tiny_encoder
from cosmith.retrieval import Bm25

WORDS = [f"w{i}" for i in range(12)]


def pairs_of_words(seed: int, rows: int) -> Source:
    rng = np.random.default_rng(seed)

    def text(name: str, words: int) -> str:
        return " ".join([name, *rng.choice(WORDS, words)])

    return Source.from_rows("words", [TrainingRow(text(f"q{n}", 3), (text(f"a{n}", 5),)) for n in range(rows)])


def naive(encoders, source: Source, corpus, *, count, ratio, margin, max_score, candidates, agreement, depth):
    """Row by row with dictionaries and sorts, in the words of the definition."""
    rows = list(source.rows())
    documents = sorted({text for row in rows for text in row.positives} | set(corpus), key=order_of(source, corpus))
    index = Bm25.build(documents, documents)
    for row in rows:
        known = {text for other in rows if other.query == row.query for text in other.positives} | {row.query}
        passing = [text for text in documents if text not in known]
        rankings = []
        for encoder in encoders:
            query = encoder.encode([row.query])[0]
            score = {text: float(encoder.encode([text])[0] @ query) for text in documents}
            lowest = min(score[text] for text in row.positives)
            limit = min(
                np.inf if ratio is None else lowest - abs(lowest) * (1 - ratio),
                np.inf if margin is None else lowest - margin,
                np.inf if max_score is None else max_score,
            )
            passing = [text for text in passing if score[text] < limit]
            rankings.append(score)
        lists = [] if candidates == "bm25" else [sorted(passing, key=lambda t, s=s: -s[t])[:depth] for s in rankings]
        if candidates != "dense":
            found = [name for name, _ in index.search([row.query], len(documents)).of(0)]
            lists.append([name for name in found if name in passing][:depth])
        value: dict[str, list[float]] = {}
        for ranked in lists:
            for rank, text in enumerate(ranked, start=1):
                value.setdefault(text, []).append(1 / (60 + rank))
        agreed = [text for text in documents if len(value.get(text, ())) >= agreement]
        yield (
            tuple(sorted(agreed, key=lambda text: -sum(value[text]))[:count])
            if len(lists) > 1
            else tuple(lists[0][:count])
        )


def order_of(source: Source, corpus):
    """By the numbers that texts have: first those of the source, then those of the corpus as they come."""
    texts = list(dict.fromkeys([*source.texts.take(np.arange(len(source.texts))), *corpus]))
    return {text: number for number, text in enumerate(texts)}.__getitem__


@settings(max_examples=30)
@given(
    seed=st.integers(0, 1000),
    rows=st.integers(2, 15),
    models=st.integers(1, 3),
    candidates=st.sampled_from(["dense", "bm25", "both"]),
    agreement=st.integers(1, 2),
    ratio=st.sampled_from([None, 0.95, 1.0]),
    margin=st.sampled_from([None, 0.05]),
    max_score=st.sampled_from([None, 0.6]),
    extra=st.integers(0, 10),
)
def test_candidates_are_what_the_definition_says(
    words_encoder, seed, rows, models, candidates, agreement, ratio, margin, max_score, extra
):
    source = pairs_of_words(seed, rows)
    corpus = [f"{WORDS[n]} {WORDS[n - 1]} extra {n}" for n in range(extra)]
    encoders = [words_encoder(seed=number) for number in range(models)]
    rankings = (candidates != "dense") + (models if candidates != "bm25" else 0)
    options = {"ratio": ratio, "margin": margin, "max_score": max_score, "candidates": candidates,
               "agreement": min(agreement, rankings), "depth": 6}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, size in (("QUERIES", 4), ("DOCUMENTS", 7), ("ROWS", 6)):
            patch.setattr(blocks, name, size)
        result = mine_hard_negatives(encoders, source, corpus=corpus, negatives_per_row=3, **options)
    expected = list(naive(encoders, source, corpus, count=3, **options))
    assert [row.negatives for row in result.source.rows()] == expected


def test_a_corpus_gives_negatives_that_no_row_has(words_encoder):
    rows = [TrainingRow("red apple", ("an apple is red",)), TrainingRow("blue sea", ("the sea is blue",))]
    corpus = ["red apple pie", "an apple is red", "blue apple sea"]
    result = mine_hard_negatives(words_encoder(), Source.from_rows("few", rows), corpus=corpus, ratio=None)
    assert [row.negatives for row in result.source.rows()] == [("red apple pie",), ("blue apple sea",)]
    assert result.documents == 4
    assert result.source.known_positives([0])[1].tolist() == [1]
    with pytest.raises(InputError, match="row 1: the text of the corpus is empty"):
        mine_hard_negatives(words_encoder(), Source.from_rows("few", rows), corpus=["good", ""])


def test_other_parts_of_the_answers_document_are_no_negatives(words_encoder):
    rows = [
        TrainingRow("apple", ("apple one",), document_group="fruit"),
        TrainingRow("pear", ("apple two",), document_group="fruit"),
        TrainingRow("car", ("apple car",), document_group="cars"),
    ]
    result = mine_hard_negatives(words_encoder(), Source.from_rows("parts", rows), ratio=None, negatives_per_row=3)
    found = [set(row.negatives) for row in result.source.rows()]
    assert found == [{"apple car"}, {"apple car"}, {"apple one", "apple two"}]


PARTS = [
    TrainingRow("apple", ("apple one",), document_group="fruit"),
    TrainingRow("car", ("red car",), document_group="shop/cars#0-7"),
]
CORPUS = {
    "fruit": "apple apple whole", "fruit#0-9": "apple one", "fruit#9-18": "apple three", "fruits": "apple other",
    "shop/cars": "car car whole", "shop/cars#7-12": "car seat", "shop/cars#7-12#0-3": "car part", "cars": "car other",
}  # fmt: skip
OWN = {"apple": {"apple apple whole", "apple three"}, "car": {"car car whole", "car seat", "car part"}}


def test_the_corpus_knows_which_of_its_texts_are_of_a_rows_own_document(words_encoder):
    source = Source.from_rows("parts", PARTS)
    found = mine_hard_negatives(words_encoder(), source, corpus=CORPUS, ratio=None, negatives_per_row=9)
    everything = {*CORPUS.values(), "red car"}
    assert {row.query: set(row.negatives) for row in found.source.rows()} == {
        row.query: everything - OWN[row.query] - set(row.positives) for row in PARTS
    }
    limited = mine_hard_negatives(words_encoder(), source, corpus=passages_of(CORPUS), ratio=0.5)
    assert not {(each.query, each.document) for each in limited.likely_positives} & {
        (query, text) for query, texts in OWN.items() for text in texts
    }
    bare = mine_hard_negatives(words_encoder(), source, corpus=CORPUS.values(), ratio=None, negatives_per_row=9)
    assert limited.rejected < mine_hard_negatives(words_encoder(), source, corpus=CORPUS.values(), ratio=0.5).rejected
    assert OWN["apple"] < set(bare.source.row(0).negatives)
    assert "car seat" in bare.source.row(1).negatives


def test_a_text_that_stands_in_two_documents_is_no_negative_of_either(words_encoder):
    corpus = [Passage("fruit#3-4", "same words", "fruit"), Passage("shop/cars#3-4", "same words"), "free"]
    found = mine_hard_negatives(
        words_encoder(), Source.from_rows("parts", PARTS), corpus=corpus, ratio=None, negatives_per_row=9
    )
    assert [set(row.negatives) for row in found.source.rows()] == [{"red car", "free"}, {"apple one", "free"}]


def test_what_a_folder_keeps_is_searched_for_again_when_the_documents_have_other_names(words_encoder, tmp_path):
    source = Source.from_rows("parts", PARTS)
    for corpus in (CORPUS.values(), CORPUS, {f"other/{name}": text for name, text in CORPUS.items()}):
        options = {"ratio": None, "negatives_per_row": 9}
        kept = mine_hard_negatives(words_encoder(), source, corpus=corpus, folder=tmp_path, **options)
        fresh = mine_hard_negatives(words_encoder(), source, corpus=corpus, **options)
        assert list(kept.source.rows()) == list(fresh.source.rows())
    assert len(list((tmp_path / "searches").iterdir())) == 2, "of names that no row knows nothing depends"


class Prefers:
    """A cross-encoder that scores a document by what is said of it, 0 where nothing is."""

    def __init__(self, **scores: float) -> None:
        self.scores, self.pairs = scores, 0

    def score(self, queries, documents, *, instruction="", activated=True, show_progress=None):
        assert not activated
        self.pairs += len(documents)
        return np.array([self.scores.get(document, 0.0) for document in documents], dtype=np.float32)

    def fingerprint(self):
        return repr(self.scores)


def test_what_a_cross_encoder_puts_above_the_answer_is_left_out(words_encoder):
    rows = [TrainingRow("a b c", ("a b",)), TrainingRow("x", ("a c d",)), TrainingRow("y", ("b d e f",)),
            TrainingRow("z", ("g",))]  # fmt: skip
    source = Source.from_rows("rows", rows)
    options = {"ratio": None, "negatives_per_row": 2}
    plain = mine_hard_negatives(words_encoder(), source, **options)
    reader = Prefers(**{"a b": 1.0, "a c d": 2.0, "b d e f": 1.0})
    read = mine_hard_negatives(words_encoder(), source, cross_encoder=reader, depth=3, **options)
    first = [result.source.row(0).negatives for result in (plain, read)]
    assert first[0][0] == "a c d"
    assert first[1] == ("b d e f", "g")  # as likely as the answer is not above it
    left_out = next(each for each in read.likely_positives if each.query == "a b c")
    assert (left_out.document, left_out.by, left_out.score, left_out.positive_score) == (
        "a c d", "cross-encoder", 2.0, 1.0,
    )  # fmt: skip
    assert read.rejected == sum(
        reader.scores.get(text, 0) > reader.scores.get(row.positives[0], 0)
        for row, texts in zip(rows, _readable(rows), strict=True)
        for text in texts
    )


def _readable(rows):
    """All candidates of each row."""
    answers = [row.positives[0] for row in rows]
    return [[text for text in answers if text not in (row.positives[0], row.query)] for row in rows]


def test_scores_are_those_of_all_texts_of_a_row(words_encoder):
    rows = [TrainingRow("a b", ("a", "b"), ("kept",)), TrainingRow("c d", ("c",), ("kept", "a")),
            TrainingRow("e", ("e f",), ())]  # fmt: skip
    source, encoders = Source.from_rows("rows", rows), [words_encoder(seed) for seed in (0, 1)]
    for models in (encoders[:1], encoders):
        mined = mine_hard_negatives(models, source, ratio=None, scores=True, negatives_per_row=2).source
        for row in mined.rows():
            texts = [*row.positives, *row.negatives]
            expected = np.mean([each.encode(texts) @ each.encode([row.query])[0] for each in models], axis=0)
            assert row.scores == pytest.approx(expected.tolist(), abs=1e-6)
        assert mined.row(0).negatives[0] == "kept"
    assert mine_hard_negatives(encoders[0], source).source.scores is None


@pytest.mark.parametrize(
    ("relative", "absolute", "highest"), [(0.02, None, None), (None, 0.01, 0.97), (None, None, None)]
)
def test_as_sentence_transformers_where_its_window_is_wide_enough(tmp_path, relative, absolute, highest):
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives as theirs

    source = pairs_of_words(3, 40)
    encoder = tiny_encoder("bert")
    encoder.save(tmp_path / "model")
    rows = list(source.rows())
    table = Dataset.from_dict({"query": [row.query for row in rows], "answer": [row.positives[0] for row in rows]})
    found = theirs(
        table, SentenceTransformer(str(tmp_path / "model"), device="cpu"), num_negatives=3, range_max=len(rows),
        relative_margin=relative, absolute_margin=absolute, max_score=highest, output_format="n-tuple", verbose=False,
    )  # fmt: skip
    result = mine_hard_negatives(
        encoder, source, negatives_per_row=3, ratio=None if relative is None else 1 - relative, margin=absolute,
        max_score=highest,
    )  # fmt: skip
    ours = {row.query: row.negatives for row in result.source.rows() if len(row.negatives) == 3}
    assert len(ours) > 5
    assert {row["query"]: tuple(row[f"negative_{n}"] for n in (1, 2, 3)) for row in found} == ours


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"candidates": "words"}, "candidates"),
        ({"agreement": 2}, "agreement"),
        ({"agreement": 0}, "agreement"),
        ({"max_score": float("nan")}, "max_score"),
        ({"candidates": "both", "depth": 2, "skip_top": 2}, "depth"),
        ({"stored_as": "int8"}, "stored_as"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_any_work(words_encoder, options, field):
    encoder = words_encoder()
    with pytest.raises(InputError) as refused:
        mine_hard_negatives(encoder, pairs_of_words(0, 3), **options)
    assert refused.value.field == field
    assert not encoder.calls
    with pytest.raises(InputError, match="no model"):
        mine_hard_negatives([], pairs_of_words(0, 3))
