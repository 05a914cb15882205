"""What limits on hard negatives do to the model: the same pairs and steps, mined with each share of the positive.

python -m benchmarks.quality.mining_ratio --data ../shared/data/medquad
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from benchmarks import interleaved
from benchmarks.quality.outcomes import Outcomes, Values, differences, options, values_of
from benchmarks.quality.subsets import draw_rows, draw_test, told
from cosmith import Collection, Encoder, Source, TrainingSettings, evaluate_retrieval, train
from cosmith.mining import mine_hard_negatives

MODEL = "all-MiniLM-L6-v2"
MEASURE = "ndcg@10"
BASE, DEFAULT = "base model", "ratio 0.95"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a BEIR folder with qrels of train and test splits")
    parser.add_argument("--ratios", type=float, nargs="+", default=[0.95, 0.9, 0.98, 0.8])
    parser.add_argument("--pairs", type=int, default=3200)
    parser.add_argument("--negatives", type=int, default=4)
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
    rows = draw_rows(Collection.read_beir(given.data, "train"), given.pairs, given.seed)
    outcomes = Outcomes.open(given.output, given)

    def measured(encoder: Encoder) -> Values:
        encoder.precision = "auto"
        return values_of(evaluate_retrieval(encoder, test_set, ks=(10,), resamples=0))

    def trained(ratio: float) -> Encoder:
        start = Encoder.load(MODEL)
        mined = mine_hard_negatives(
            start, Source.from_rows("pairs", rows), negatives_per_row=given.negatives, ratio=ratio
        )
        settings = TrainingSettings(
            steps=len(rows) // given.batch,
            batch_size=given.batch,
            learning_rate=given.learning_rate,
            max_query_length=given.max_length,
            max_document_length=given.max_length,
            seed=given.seed,
        )
        return train(start, [mined.source], settings)

    outcomes.take(BASE, lambda: measured(Encoder.load(MODEL)))
    for ratio in given.ratios:
        outcomes.take(f"ratio {ratio:g}", partial(lambda limit: measured(trained(limit)), ratio))
        write(given, whole, test_set, outcomes)


def write(given: argparse.Namespace, whole: Collection, test_set: Collection, outcomes: Outcomes) -> None:
    """Write what is known so far."""
    notes = (
        f"{told(test_set, whole)} {MODEL} trained on {given.pairs:,} pairs of the train split, {given.negatives} "
        f"negatives a row mined among their answers that score below the ratio times the positive's score; "
        f"{given.pairs // given.batch} steps of {given.batch}, learning rate {given.learning_rate:g}. One seed. "
        "Intervals: 95 %, bootstrap over queries; differences are paired by query."
    )
    against = (BASE, DEFAULT) if DEFAULT in outcomes.rows else (BASE,)
    table = differences(outcomes.rows, MEASURE, against)
    title, module = "What the limit on hard negatives does to the model", "benchmarks.quality.mining_ratio"
    interleaved.write_up(title, module, options(given), notes, table, given.output)


if __name__ == "__main__":
    main()
