"""What each part of the default training is worth: leave it out, or add what it leaves out.

python -m benchmarks.quality.ablation --data ../shared/data/medquad
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from benchmarks import interleaved
from benchmarks.quality.outcomes import Outcomes, Values, difference, differences, options, values_of
from benchmarks.quality.subsets import draw_rows, draw_test, told
from cosmith import Collection, Encoder, Source, TrainingRow, TrainingSettings, evaluate_retrieval, train
from cosmith.losses import Block, ContrastiveSpec, preset
from cosmith.mining import mine_hard_negatives
from cosmith.training import merge

MODEL = "all-MiniLM-L6-v2"
MEASURE = "ndcg@10"
BASE, DEFAULT = "base model", "default"
(BLOCKS,) = preset("default").denominators


@dataclass(frozen=True)
class Variant:
    """What differs from the default.

    Attributes:
        loss: The loss.
        negatives: Mined hard negatives a row.
        dims: Nested dimensions trained beside the full one.
        seed: Of order and dropout; all variants train on the same rows.
    """

    loss: ContrastiveSpec = field(default_factory=lambda: preset("default"))
    negatives: int = 1
    dims: tuple[int, ...] = ()
    seed: int = 0


def of_blocks(*blocks: Block) -> Variant:
    """The default loss with other blocks in its denominator."""
    return Variant(preset("default", denominators=(frozenset(blocks),)))


def without(block: Block) -> Variant:
    """The default loss less a block."""
    return of_blocks(*(BLOCKS - {block}))


def with_also(*blocks: Block) -> Variant:
    """The default loss and some blocks more."""
    return of_blocks(*BLOCKS, *blocks)


VARIANTS: Mapping[str, Variant] = {
    DEFAULT: Variant(),
    "without own negatives in the denominator": without("own_negatives"),
    "without other rows' positives": without("other_positives"),
    "without other rows' negatives": without("other_negatives"),
    "with query-query": with_also("queries"),
    "with document-document": with_also("documents"),
    "with both: five terms": with_also("queries", "documents"),
    "without the false-negative margin": Variant(preset("default", margin=None)),
    "temperature 0.02": Variant(preset("default", temperature=0.02)),
    "temperature 0.1": Variant(preset("default", temperature=0.1)),
    "no hard negatives": Variant(negatives=0),
    "7 hard negatives": Variant(negatives=7),
    "nested dimensions 192, 96, 48": Variant(dims=(192, 96, 48)),
}


def mined(rows: Sequence[TrainingRow], negatives: int) -> Source:
    """The rows with so many hard negatives each, mined with the base model among the answers of all rows."""
    source = Source.from_rows("pairs", rows)
    if not negatives:
        return source
    return mine_hard_negatives(Encoder.load(MODEL, precision="auto"), source, negatives_per_row=negatives).source


def tuned(source: Source, variant: Variant, given: argparse.Namespace) -> Encoder:
    """The base model, trained one pass as the variant has it."""
    settings = TrainingSettings(
        steps=given.pairs // given.batch,
        batch_size=given.batch,
        learning_rate=given.learning_rate,
        max_query_length=given.max_length,
        max_document_length=given.max_length,
        loss=variant.loss,
        dims=variant.dims,
        seed=variant.seed,
    )
    encoder = train(Encoder.load(MODEL), [source], settings)
    encoder.precision = "auto"
    return encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a BEIR folder with qrels of a train and a test split")
    parser.add_argument("--pairs", type=int, default=1600)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--max-length", type=int, default=128, help="in training; evaluation takes the model's own")
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--merged", type=int, default=3, help="seeds of the default that are merged into one model")
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    train_set, whole = (Collection.read_beir(given.data, split) for split in ("train", "test"))
    test_set = draw_test(whole, given.queries, given.documents)
    rows = draw_rows(train_set, given.pairs, 0)
    outcomes = Outcomes.open(given.output, given)
    sources: dict[int, Source] = {}

    def source_with(negatives: int) -> Source:
        if negatives not in sources:
            sources[negatives] = mined(rows, negatives)
        return sources[negatives]

    def made(variant: Variant) -> Encoder:
        return tuned(source_with(variant.negatives), variant, given)

    def measured(make: Callable[[], Encoder]) -> Values:
        return values_of(evaluate_retrieval(make(), test_set, ks=(10,), resamples=0))

    outcomes.take(BASE, lambda: measured(lambda: Encoder.load(MODEL, precision="auto")))
    for name, variant in VARIANTS.items():
        outcomes.take(name, partial(measured, partial(made, variant)))
        write(given, whole, test_set, outcomes.rows)
    if given.merged < 2:
        return
    seeds = [f"{DEFAULT}, seed {seed}" for seed in range(1, given.merged)]
    soup = f"{DEFAULT}, {given.merged} seeds merged"
    if soup not in outcomes.rows:
        variants = [replace(VARIANTS[DEFAULT], seed=seed) for seed in range(given.merged)]
        models = [made(variant) for variant in variants]
        for name, model in zip(seeds, models[1:], strict=True):
            outcomes.take(name, partial(measured, model.copy))
        outcomes.take(soup, lambda: measured(lambda: merge(models).encoder))
    write(given, whole, test_set, outcomes.rows)


def describe(rows: Mapping[str, Values]) -> str:
    """Each row against the base model and the default; the merged model against the best of those merged."""
    table = differences(rows, MEASURE, (BASE, DEFAULT))
    singles = {name: values[MEASURE] for name, values in rows.items() if name == DEFAULT or ", seed " in name}
    soup = next((values[MEASURE] for name, values in rows.items() if name.endswith("seeds merged")), None)
    if soup is None:
        return table
    best = max(singles, key=lambda name: sum(singles[name]))
    return (
        f"{table}\n\nThe merged model over the best of the models merged, chosen on the test queries, which favours "
        f"that one ({best}): {difference(soup, singles[best])}."
    )


def write(given: argparse.Namespace, whole: Collection, test_set: Collection, rows: Mapping[str, Values]) -> None:
    """Write what is known so far."""
    notes = (
        f"{told(test_set, whole)} {MODEL} trained on {given.pairs:,} "
        f"random training questions, {given.pairs // given.batch} steps of {given.batch}, learning rate "
        f"{given.learning_rate:g}, the same rows for all. Default: query against the documents of the step (own "
        f"negatives, other rows' positives and negatives), temperature {preset('default').temperature:g}, candidates "
        "left out that score more than the positive + 0.1, one mined hard negative a row, seed 0. Intervals: 95 %, "
        "bootstrap over queries; differences are paired by query. One training run a row: what two seeds differ by is "
        "no part of the intervals."
    )
    title, module = "What the parts of the default training are worth", "benchmarks.quality.ablation"
    interleaved.write_up(title, module, options(given), notes, describe(rows), given.output)


if __name__ == "__main__":
    main()
