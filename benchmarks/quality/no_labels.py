"""Trained on documents alone, tested on real questions: weak pairs and SimCSE against the base model and BM25.

python -m benchmarks.quality.no_labels --data ../shared/data/medquad
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks import interleaved
from benchmarks.quality.outcomes import Outcomes, Values, differences, options, values_of
from benchmarks.quality.subsets import draw_test, told
from cosmith import Collection, Encoder, Source, TrainingSettings, evaluate_retrieval, train
from cosmith.data import self_pairs, weak_pairs
from cosmith.data.documents import Document
from cosmith.evaluation import evaluate_bm25
from cosmith.mining import mine_hard_negatives

MODEL = "all-MiniLM-L6-v2"
MEASURE = "ndcg@10"
BASE, BM25 = "base model", "BM25"


def settings_of(given: argparse.Namespace, loss: str) -> TrainingSettings:
    """The same for each training but for the loss."""
    return TrainingSettings(
        steps=given.pairs // given.batch,
        batch_size=given.batch,
        learning_rate=given.learning_rate,
        max_query_length=given.max_length,
        max_document_length=given.max_length,
        loss=loss,
        seed=given.seed,
    )


def simcse(texts: Sequence[str], given: argparse.Namespace) -> Encoder:
    """Each text against itself under other dropout."""
    return train(Encoder.load(MODEL), [self_pairs("selves", texts)], settings_of(given, "simcse"))


def heads(texts: Sequence[str], given: argparse.Namespace, start: Encoder) -> Encoder:
    """The first sentence of each document against the rest of it, with a mined hard negative."""
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    source = Source.from_rows("heads", weak_pairs(documents).rows)
    return train(start, [mine_hard_negatives(start, source).source], settings_of(given, "default"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a BEIR folder with qrels of a test split")
    parser.add_argument("--pairs", type=int, default=3200, help="documents trained on")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=3e-5)
    parser.add_argument("--max-length", type=int, default=128, help="in training; evaluation takes the model's own")
    parser.add_argument("--queries", type=int, default=700)
    parser.add_argument("--documents", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    whole = Collection.read_beir(given.data, "test")
    test_set = draw_test(whole, given.queries, given.documents)
    documents = list(whole.documents.values())
    texts = [documents[number] for number in np.random.default_rng(given.seed).permutation(len(documents))]
    texts = texts[: given.pairs]
    outcomes = Outcomes.open(given.output, given)

    def measured(make: Callable[[], Encoder]) -> Values:
        encoder = make()
        encoder.precision = "auto"
        return values_of(evaluate_retrieval(encoder, test_set, ks=(10,), resamples=0))

    contestants: dict[str, Callable[[], Values]] = {
        BASE: lambda: measured(lambda: Encoder.load(MODEL)),
        BM25: lambda: values_of(evaluate_bm25(test_set, ks=(10,), resamples=0)),
        "first sentence and rest": lambda: measured(lambda: heads(texts, given, Encoder.load(MODEL))),
        "SimCSE": lambda: measured(lambda: simcse(texts, given)),
        "SimCSE, then first sentence and rest": lambda: measured(lambda: heads(texts, given, simcse(texts, given))),
    }
    for number, (name, measure) in enumerate(contestants.items()):
        outcomes.take(name, measure)
        if number:
            write(given, whole, test_set, outcomes)


def write(given: argparse.Namespace, whole: Collection, test_set: Collection, outcomes: Outcomes) -> None:
    """Write what is known so far."""
    notes = (
        f"{told(test_set, whole)} {MODEL} trained on {given.pairs:,} "
        "random documents of the corpus, whose questions it never sees (the documents have no titles): the first "
        "sentence of each against the rest, or each against itself under other dropout (SimCSE). "
        f"{given.pairs // given.batch} steps of {given.batch} each, learning rate {given.learning_rate:g}. One seed. "
        "Intervals: 95 %, bootstrap over queries; differences are paired by query."
    )
    title, module = f"Fine-tuning on the documents of {whole.name} alone", "benchmarks.quality.no_labels"
    table = differences(outcomes.rows, MEASURE, (BASE, BM25))
    interleaved.write_up(title, module, options(given), notes, table, given.output)


if __name__ == "__main__":
    main()
