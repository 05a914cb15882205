from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import Source, TrainingRow, example_pairs, label_pairs
from cosmith.errors import InputError
from cosmith.mining import mine_hard_negatives
from cosmith.mining.hard_negatives import blocks

WORDS = [f"w{i}" for i in range(12)]


class Table:
    """An encoder that looks vectors up, so that a test can say what scores what."""

    max_length = 10

    def __init__(self, vectors: dict[str, tuple[float, ...]]) -> None:
        self.vectors = {text: np.array(v, dtype=np.float32) for text, v in vectors.items()}
        self.dimension = len(next(iter(vectors.values())))

    def encode(self, texts, *, prompt=None, instruction="", dim=None, show_progress=None):
        return np.stack([self.vectors[text] for text in texts])

    def fingerprint(self):
        return "table"


def on_a_circle(**cosines: float) -> Table:
    """Texts whose cosine with the query ``q`` is given."""
    return Table({"q": (1.0, 0.0)} | {name: (c, float(np.sqrt(1 - c * c))) for name, c in cosines.items()})


def one_query(*positives: str, others: str = "") -> Source:
    """A row of the query ``q``; the others are positives of other queries, so candidates."""
    rows = [TrainingRow("q", positives)] + [TrainingRow(name.upper(), (name,)) for name in others.split()]
    return Source.from_rows("one", rows)


def mined(encoder: Table, source: Source, **options) -> tuple[str, ...]:
    for row in source.rows():
        encoder.vectors.setdefault(row.query, np.float32([0.0, 1.0]))
    return mine_hard_negatives(encoder, source, **options).source.row(0).negatives


def random_source(seed: int, rows: int) -> Source:
    """Queries that stand in several rows, several positives a row, positives that are queries elsewhere."""
    rng = np.random.default_rng(seed)

    def text() -> str:
        return " ".join(rng.choice(WORDS, rng.integers(1, 4)))

    pool = [text() for _ in range(rows)]
    return Source.from_rows(
        "random",
        [
            TrainingRow(pool[rng.integers(rows)], tuple(text() for _ in range(rng.integers(1, 4))), negatives=("old",))
            for _ in range(rows)
        ],
    )


def by_sorting(encoder, source: Source, count: int, ratio: float | None, margin: float | None, skip: int):
    """One row at a time, by sorting every candidate."""
    rows = list(source.rows())
    documents = source.texts.take(np.unique(source.positives))
    vectors = dict(zip(documents, encoder.encode(documents), strict=True))
    for row in rows:
        query = encoder.encode([row.query])[0]
        known = {text for other in rows if other.query == row.query for text in other.positives} | {row.query}
        lowest = min(float(query @ vectors[text]) for text in row.positives)
        limit = min(
            lowest - abs(lowest) * (1 - ratio) if ratio is not None else np.inf,
            lowest - margin if margin is not None else np.inf,
        )
        scores = {text: float(query @ vectors[text]) for text in documents if text not in known}
        passing = sorted((text for text in scores if scores[text] < limit), key=lambda text: -scores[text])
        yield row, passing[skip : skip + count], sum(score >= limit for score in scores.values())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 40),
    count=st.integers(1, 5),
    ratio=st.sampled_from([None, 0.5, 0.95, 1.0]),
    margin=st.sampled_from([None, 0.0, 0.1]),
    skip=st.integers(0, 3),
)
def test_mining_is_what_sorting_every_candidate_gives(hash_encoder, seed, rows, count, ratio, margin, skip):
    encoder, source = hash_encoder(), random_source(seed, rows)
    result = mine_hard_negatives(
        encoder, source, negatives_per_row=count, ratio=ratio, margin=margin, skip_top=skip, keep=False
    )
    expected = list(by_sorting(encoder, source, count, ratio, margin, skip))
    for row, (before, negatives, _) in zip(result.source.rows(), expected, strict=True):
        assert (row.query, row.positives) == (before.query, before.positives)
        assert row.negatives == tuple(negatives)
    assert result.rows == result.replaced == rows
    assert result.negatives == sum(len(negatives) for _, negatives, _ in expected)
    assert result.short_rows == sum(len(negatives) < count for _, negatives, _ in expected)
    assert result.rejected == sum(rejected for _, _, rejected in expected)
    for negatives, scores in (("negatives", result.negative_scores), ("positives", result.positive_scores)):
        pairs = [(row.query, text) for row in result.source.rows() for text in getattr(row, negatives)]
        assert scores == pytest.approx(
            [float(encoder.encode([q])[0] @ encoder.encode([t])[0]) for q, t in pairs], abs=1e-6
        )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), sample=st.sampled_from(["top", "random"]), ratio=st.sampled_from([None, 0.9]))
def test_a_known_answer_or_the_query_is_never_a_negative(hash_encoder, seed, sample, ratio):
    source = random_source(seed, 25)
    result = mine_hard_negatives(
        hash_encoder(), source, negatives_per_row=4, ratio=ratio, sample=sample, depth=9, seed=seed
    )
    rows = list(result.source.rows())
    for row in rows:
        known = {text for other in rows if other.query == row.query for text in other.positives}
        assert not known & set(row.negatives)
        assert row.query not in row.negatives
        assert len(set(row.negatives)) == len(row.negatives)


def test_a_text_of_the_rows_own_class_is_never_a_negative():
    # The nearest to q are: another text of its class, one of no other class but its own as a query, one of both.
    vectors = on_a_circle(answer=0.5, sibling=0.9, asked=0.85, both=0.8, other=0.7, far=0.1)
    rows = [
        TrainingRow("q", ("answer",), label=1),
        TrainingRow("SIBLING", ("sibling",), label=1),
        TrainingRow("asked", ("both",), label=1),
        TrainingRow("OTHER", ("other", "both"), label=2),
        TrainingRow("ASKED", ("asked", "far"), label=2),
    ]
    source = Source.from_rows("classes", rows)
    assert mined(vectors, source, ratio=None, negatives_per_row=9) == ("other", "far")
    result = mine_hard_negatives(vectors, source, ratio=0.95)
    assert not {each.document for each in result.likely_positives if each.query == "q"} - {"other"}
    unlabelled = Source.from_rows("rows", [TrainingRow(row.query, row.positives) for row in rows])
    assert mined(vectors, unlabelled, ratio=None, negatives_per_row=2) == ("sibling", "asked")


def test_where_every_row_has_a_label_there_is_no_limit_and_drawn_negatives_go():
    vectors = on_a_circle(answer=0.5, other=0.7, far=0.1)  # the other class scores above the answer
    rows = [TrainingRow("q", ("answer",), ("far",), label=1), TrainingRow("OTHER", ("other",), ("answer",), label=2)]
    assert mined(vectors, Source.from_rows("all", rows)) == ("other",)
    assert mined(vectors, Source.from_rows("all", rows), keep=True) == ("far", "other")
    assert "other" not in mined(vectors, Source.from_rows("all", rows), ratio=0.95)
    some = [
        rows[0],
        TrainingRow("OTHER", ("other",), ("answer",), label=-1),
    ]  # whether that is of the class, nobody says
    assert mined(vectors, Source.from_rows("some", some)) == ("far",)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), classes=st.integers(2, 5), form=st.sampled_from([example_pairs, label_pairs]))
def test_classes_get_the_nearest_texts_of_other_classes(hash_encoder, seed, classes, form):
    rng = np.random.default_rng(seed)
    texts = [f"text {number}" for number in range(30)]
    labels = [f"class {number % classes}" for number in rng.permutation(30)]
    source = form("classes", texts, labels, negatives=0)
    class_of = dict(zip(texts, labels, strict=True)) | {label: label for label in labels}
    encoder = hash_encoder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "DOCUMENTS", 7)
        result = mine_hard_negatives(encoder, source, negatives_per_row=2, ratio=None)
    documents = sorted({text for row in source.rows() for text in row.positives})
    vectors = dict(zip(documents, encoder.encode(documents), strict=True))
    for row in result.source.rows():
        query = encoder.encode([row.query])[0]
        others = [text for text in documents if class_of[text] != class_of[row.query]]
        assert row.negatives == tuple(sorted(others, key=lambda text: -float(query @ vectors[text]))[:2])


def test_negatives_that_rows_have_stay_and_are_not_found_again(hash_encoder):
    encoder = hash_encoder()
    rows = [TrainingRow(f"q{n}", (f"answer {n}",), (f"answer {(n + 1) % 30}", "judged")) for n in range(30)]
    result = mine_hard_negatives(encoder, Source.from_rows("judged", rows), negatives_per_row=2, ratio=None)
    for before, after in zip(rows, result.source.rows(), strict=True):
        assert after.negatives[:2] == before.negatives
        assert len(set(after.negatives)) == 4
    assert (result.kept, result.replaced, result.negatives) == (60, 0, 60)


def test_blocks_change_nothing(hash_encoder, monkeypatch):
    source = random_source(1, 60)
    options = {"negatives_per_row": 3, "sample": "random", "depth": 8, "seed": 2}
    whole = mine_hard_negatives(hash_encoder(), source, **options)
    for name, size in (("QUERIES", 7), ("DOCUMENTS", 5), ("ROWS", 20)):
        monkeypatch.setattr(blocks, name, size)
    blocked = mine_hard_negatives(hash_encoder(), source, **options)
    assert list(blocked.source.rows()) == list(whole.source.rows())
    assert (blocked.rejected, blocked.short_rows) == (whole.rejected, whole.short_rows)
    assert [each.query for each in blocked.likely_positives] == [each.query for each in whole.likely_positives]


def test_a_candidate_near_the_positive_is_left_out_and_the_next_taken():
    encoder = on_a_circle(answer=0.8, twin=0.79, near=0.7, far=0.1)
    source = one_query("answer", others="twin near far")
    assert mined(encoder, source) == ("near",)
    assert mined(encoder, source, ratio=None) == ("twin",)
    assert mined(encoder, source, ratio=None, margin=0.2) == ("far",)
    assert mined(encoder, source, skip_top=1) == ("far",)
    assert mined(encoder, source, negatives_per_row=5) == ("near", "far")


def test_the_limit_of_a_negative_positive_lies_below_it():
    encoder = on_a_circle(answer=-0.5, above=-0.48, just_below=-0.51, below=-0.6)
    assert mined(encoder, one_query("answer", others="above just_below below")) == ("below",)


def test_the_lowest_of_several_positives_sets_the_limit():
    encoder = on_a_circle(good=0.9, poor=0.5, between=0.7, under=0.4)
    assert mined(encoder, one_query("good", "poor", others="between under")) == ("under",)


def test_a_query_full_of_likely_answers_still_gets_its_negatives():
    # 500 candidates score above the limit; a search for the best 50 that filters afterwards would find nothing.
    crowd = {f"twin{i}": 0.9 - i * 1e-5 for i in range(500)}
    encoder = on_a_circle(answer=0.8, honest=0.3, **crowd)
    source = one_query("answer", others=" ".join([*crowd, "honest"]))
    assert mined(encoder, source, negatives_per_row=1) == ("honest",)


def test_what_was_left_out_is_counted_and_shown():
    encoder = on_a_circle(answer=0.8, twin=0.9, near=0.78, far=0.1)
    source = one_query("answer", others="twin near far")
    for name in ("TWIN", "NEAR", "FAR"):
        encoder.vectors[name] = np.float32([0.0, -1.0])
    result = mine_hard_negatives(encoder, source)
    example = next(each for each in result.likely_positives if each.query == "q")
    assert (example.document, example.positive_score) == ("twin", pytest.approx(0.8))
    assert example.score == pytest.approx(0.9)
    assert result.likely_positives[0].score - result.likely_positives[0].positive_score == max(
        each.score - each.positive_score for each in result.likely_positives
    )
    assert "likely positives" in result.describe()


def test_rows_that_get_too_few_are_counted():
    encoder = on_a_circle(answer=0.8, far=0.1)
    encoder.vectors["FAR"] = np.float32([0.2, 0.9])
    result = mine_hard_negatives(encoder, one_query("answer", others="far"), negatives_per_row=2)
    assert (result.rows, result.short_rows) == (2, 2)
    assert "2 rows with fewer" in result.describe()
    assert result.negative_score < result.positive_score


def test_a_source_in_which_nothing_can_be_found_says_so():
    result = mine_hard_negatives(on_a_circle(answer=0.8), one_query("answer"))
    assert (result.negatives, result.short_rows, len(result.likely_positives)) == (0, 1, 0)
    assert np.isnan(result.negative_score)
    assert result.describe().startswith("0 negatives for 1 row;")


def test_random_draws_come_from_the_best_and_depend_on_the_seed_alone(hash_encoder):
    source = random_source(3, 80)
    best = [
        set(row.negatives)
        for row in mine_hard_negatives(hash_encoder(), source, negatives_per_row=10, keep=False).source.rows()
    ]

    def drawn(seed: int) -> list[tuple[str, ...]]:
        options = {"negatives_per_row": 3, "depth": 10, "sample": "random", "seed": seed, "keep": False}
        return [row.negatives for row in mine_hard_negatives(hash_encoder(), source, **options).source.rows()]

    assert drawn(0) == drawn(0) != drawn(1)
    for names, top in zip(drawn(0), best, strict=True):
        assert set(names) <= top
        assert len(names) == min(3, len(top))


def test_each_text_is_encoded_once_with_its_prompt(hash_encoder):
    encoder, source = hash_encoder(), random_source(4, 30)
    mine_hard_negatives(encoder, source)
    (queries, query_prompt), (documents, document_prompt) = encoder.calls
    assert (query_prompt, document_prompt) == ("query", "document")
    assert sorted(queries) == sorted({row.query for row in source.rows()})
    assert sorted(documents) == sorted({text for row in source.rows() for text in row.positives})


def test_the_rest_of_the_source_stays(hash_encoder):
    rows = [TrainingRow(f"w{i} w{i + 1}", (f"w{i}",), label=i, group=str(i)) for i in range(6)]
    source = Source.from_rows("docs", rows)
    after = mine_hard_negatives(hash_encoder(), source, ratio=None).source
    assert (after.name, after.settings, len(after)) == (source.name, source.settings, 6)
    for before, row in zip(rows, after.rows(), strict=True):
        assert (row.query, row.positives, row.label, row.group) == (
            before.query,
            before.positives,
            before.label,
            before.group,
        )
        assert len(row.negatives) == 1


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"negatives_per_row": 0}, "negatives_per_row"),
        ({"skip_top": -1}, "skip_top"),
        ({"ratio": 95}, "ratio"),
        ({"ratio": 0.0}, "ratio"),
        ({"margin": -0.1}, "margin"),
        ({"sample": "best"}, "sample"),
        ({"sample": "random", "depth": 3, "negatives_per_row": 2, "skip_top": 2}, "depth"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_by_name(hash_encoder, options, field):
    encoder = hash_encoder()
    with pytest.raises(InputError) as refused:
        mine_hard_negatives(encoder, random_source(0, 3), **options)
    assert refused.value.field == field
    assert not encoder.calls


def test_rows_without_a_positive_and_vectors_that_are_not_finite_are_refused(hash_encoder):
    source = Source.from_rows("labels", [TrainingRow("a", ("b",), label=0), TrainingRow("c", (), label=1)])
    with pytest.raises(InputError, match="'labels' has 1 row without a positive"):
        mine_hard_negatives(hash_encoder(), source)
    with pytest.raises(InputError, match="no rows"):
        mine_hard_negatives(hash_encoder(), source.select([]))
    with pytest.raises(InputError, match="not finite"):
        mine_hard_negatives(Table({"q": (1.0, 0.0), "answer": (np.nan, 0.0)}), one_query("answer"))
