"""The same rows for models of three kinds: a vector a text, a vector a token, and one score for both texts together.

python -m benchmarks.quality.model_kinds --data ../shared/data/medquad
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks import interleaved
from benchmarks.quality.outcomes import Outcomes, Values, differences, options, values_of
from benchmarks.quality.subsets import draw_rows, draw_test, told
from cosmith import Collection, Encoder, Source, TrainingSettings, train
from cosmith.evaluation import (
    rerank_collection,
    score_hits,
    search_collection,
    search_collection_bm25,
    search_collection_late_interaction,
)
from cosmith.mining import mine_hard_negatives
from cosmith.models import CrossEncoder, LateInteractionEncoder
from cosmith.retrieval import Hits
from cosmith.training import train_late_interaction, train_reranker

MODEL = "all-MiniLM-L6-v2"
MEASURE = "ndcg@10"
BASE, DENSE = "base model", "a vector a text"


def settings_of(given: argparse.Namespace, learning_rate: float, batch: int) -> TrainingSettings:
    """One pass over the rows."""
    return TrainingSettings(
        steps=given.pairs // batch,
        batch_size=batch,
        learning_rate=learning_rate,
        max_query_length=given.max_length,
        max_document_length=given.max_length,
        interpolate=False,
        seed=given.seed,
    )


def dense(source: Source, given: argparse.Namespace) -> Encoder:
    """The encoder itself, trained further."""
    return train(Encoder.load(MODEL), [source], settings_of(given, 5e-5, 64))


def late(source: Source, given: argparse.Namespace) -> LateInteractionEncoder:
    """A new projection on its backbone; the rate is higher, since nobody has trained that yet."""
    start = LateInteractionEncoder.from_encoder(Encoder.load(MODEL), seed=given.seed)
    return train_late_interaction(start, [source], settings_of(given, 1e-4, 32)).encoder


def reranker(source: Source, given: argparse.Namespace) -> CrossEncoder:
    """A new head on its backbone."""
    start = CrossEncoder.from_encoder(Encoder.load(MODEL), seed=given.seed)
    settings = settings_of(given, 5e-5, 16)
    return train_reranker(start, [source], settings, loss="listwise", max_length=2 * given.max_length).encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a BEIR folder with qrels of a train and a test split")
    parser.add_argument("--pairs", type=int, default=3200)
    parser.add_argument("--negatives", type=int, default=3, help="mined with the base model, for all kinds alike")
    parser.add_argument("--max-length", type=int, default=128, help="of a text in training")
    parser.add_argument("--rerank", type=int, default=20, help="documents that the reranker puts in order")
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    train_set, whole = (Collection.read_beir(given.data, split) for split in ("train", "test"))
    test_set = draw_test(whole, given.queries, given.documents)
    outcomes = Outcomes.open(given.output, given)
    rows = Source.from_rows("pairs", draw_rows(train_set, given.pairs, given.seed))
    base = Encoder.load(MODEL, precision="auto")
    source = mine_hard_negatives(base, rows, negatives_per_row=given.negatives).source
    first = search_collection(base, test_set, k=given.rerank)

    def measured(find: Callable[[], Hits]) -> Values:
        return values_of(score_hits(find(), test_set, model="", ks=(10,), resamples=0))

    def of_dense() -> Hits:
        encoder = dense(source, given)
        encoder.precision = "auto"
        return search_collection(encoder, test_set, k=10)

    def of_late() -> Hits:
        encoder = late(source, given)
        encoder.precision = "auto"
        return search_collection_late_interaction(encoder, test_set, k=10)

    def of_reranker() -> Hits:
        scorer = reranker(source, given)
        scorer.precision = "auto"
        return rerank_collection(scorer, test_set, first, top=given.rerank)

    contestants = {
        BASE: lambda: first,
        "BM25": lambda: search_collection_bm25(test_set, k=10),
        DENSE: of_dense,
        "a vector a token (late interaction)": of_late,
        f"the base model's first {given.rerank}, reranked": of_reranker,
    }
    for name, find in contestants.items():
        outcomes.take(name, partial(measured, find))
    write(given, whole, test_set, outcomes.rows)


def write(given: argparse.Namespace, whole: Collection, test_set: Collection, rows: Mapping[str, Values]) -> None:
    """Write what came of it."""
    notes = (
        f"{told(test_set, whole)} All three begin with {MODEL} and learn from the same {given.pairs:,} random training "
        f"questions with {given.negatives} mined hard negatives each, one pass, texts cut at {given.max_length} tokens "
        "in training. The projection of late interaction and the head of the reranker are new. Intervals: 95 %, "
        "bootstrap over queries; differences are paired by query. One seed."
    )
    title, module = "Models of three kinds on the same rows", "benchmarks.quality.model_kinds"
    table = differences(rows, MEASURE, (BASE, DENSE))
    interleaved.write_up(title, module, options(given), notes, table, given.output)


if __name__ == "__main__":
    main()
