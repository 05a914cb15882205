"""What forms of weak pairs are worth: each trained on for the same number of steps, tested on real questions.

python -m benchmarks.quality.weak_pairs --data ../shared/data/medquad
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import interleaved
from benchmarks.quality.outcomes import Outcomes, Values, differences, options, values_of
from benchmarks.quality.subsets import draw_test, told
from cosmith import Collection, Encoder, Source, TrainingSettings, evaluate_retrieval, train
from cosmith.data import WeakPairs, weak_pairs
from cosmith.data.documents import Document

MODEL = "all-MiniLM-L6-v2"
MEASURE = "ndcg@10"
BASE = "base model"
# The corpus has no titles, headings, links or paragraphs: these are the forms that such texts can have.
FORMS: dict[str, list[dict[str, Any]]] = {
    "first sentence and rest": [{"name": "first-sentence"}],
    "inverse cloze": [{"name": "inverse-cloze", "per_document": 2}],
    "neighbouring passages": [{"name": "neighbours"}],
}
FORMS["all three"] = [form for forms in FORMS.values() for form in forms]


def pairs_of(documents: Sequence[Document], name: str, seed: int) -> WeakPairs:
    """The pairs of one contestant."""
    return weak_pairs(documents, [form | ({} if form["name"] == "first-sentence" else {"seed": seed})
                                  for form in FORMS[name]])  # fmt: skip


def trained(found: WeakPairs, given: argparse.Namespace) -> Encoder:
    """The base model, trained on pairs of some forms with other rows of the batch as negatives."""
    settings = TrainingSettings(
        steps=given.steps,
        batch_size=given.batch,
        learning_rate=given.learning_rate,
        max_query_length=given.max_length,
        max_document_length=given.max_length,
        seed=given.seed,
    )
    return train(Encoder.load(MODEL), [Source.from_rows("pairs", found.rows)], settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a BEIR folder with qrels of a test split")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=3e-5)
    parser.add_argument("--max-length", type=int, default=128, help="in training; evaluation takes the model's own")
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    whole = Collection.read_beir(given.data, "test")
    test_set = draw_test(whole, given.queries, given.documents)
    documents = [Document(name, text) for name, text in whole.documents.items()]
    outcomes = Outcomes.open(given.output, given)
    found = {name: pairs_of(documents, name, given.seed) for name in FORMS}

    def measured(make: Callable[[], Encoder]) -> Values:
        encoder = make()
        encoder.precision = "auto"
        return values_of(evaluate_retrieval(encoder, test_set, ks=(10,), resamples=0))

    outcomes.take(BASE, lambda: measured(lambda: Encoder.load(MODEL)))
    for name, pairs in found.items():
        outcomes.take(name, lambda pairs=pairs: measured(lambda: trained(pairs, given)))
        write(given, whole, test_set, found, outcomes)


def write(
    given: argparse.Namespace, whole: Collection, test_set: Collection, found: dict[str, WeakPairs], outcomes: Outcomes
) -> None:
    """Write what is known so far."""
    made = ", ".join(f"{name} {len(pairs):,}" for name, pairs in found.items())
    notes = (
        f"{told(test_set, whole)} {MODEL} trained on weak pairs of the {len(whole.documents):,} documents, whose "
        f"questions it never sees: {given.steps} steps of {given.batch} pairs in each form, learning rate "
        f"{given.learning_rate:g}, other rows of the batch as negatives. Pairs to draw from: {made}. One seed. "
        "Intervals: 95 %, bootstrap over queries; differences are paired by query."
    )
    title, module = f"Forms of weak pairs, on the documents of {whole.name} alone", "benchmarks.quality.weak_pairs"
    table = differences(outcomes.rows, MEASURE, (BASE,))
    interleaved.write_up(title, module, options(given), notes, table, given.output)


if __name__ == "__main__":
    main()
