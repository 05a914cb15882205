"""How much of the full vectors' quality shorter ones keep, with and without nested training.

python -m benchmarks.quality.nested_dimensions --data ../shared/data/medquad
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import interleaved
from benchmarks.quality.outcomes import Outcomes, Values, difference, options, over_seeds, runs_of, values_of
from benchmarks.quality.subsets import draw_rows, draw_test, told
from cosmith import Collection, Encoder, Source, TrainingSettings, train
from cosmith.evaluation import bootstrap_statistic, interval_of, judged_queries, score_hits
from cosmith.retrieval import Hits, search_dense

MODEL = "all-MiniLM-L6-v2"
PARTS = (2, 4, 8)
BASE, PLAIN, NESTED = "base model", "trained", "trained, nested"


def measure(encoder: Encoder, test_set: Collection) -> Values:
    """nDCG@10 of each query, at the full size and at each part of it; all texts are encoded once."""
    asked = [test_set.queries[query] for query in judged_queries(test_set)]
    queries = encoder.encode(asked, prompt="query")
    documents = encoder.encode(list(test_set.documents.values()), prompt="document")
    names = Hits.names_of(list(test_set.documents))
    found: dict[str, list[float]] = {}
    for part in (1, *PARTS):
        dim = encoder.dimension // part
        hits = Hits.from_positions(names, *search_dense(shortened(queries, dim), shortened(documents, dim), 10))
        scores = score_hits(hits, test_set, model=encoder.name, ks=(10,), resamples=0)
        found |= values_of(scores, str(dim))
    return found


def shortened(vectors: np.ndarray, dim: int) -> np.ndarray:
    """The first ``dim`` numbers of each vector, made a unit vector again, as ``Encoder.encode(dim=)`` has them."""
    cut = vectors[:, :dim]
    unit: np.ndarray = cut / np.linalg.norm(cut, axis=1, keepdims=True)
    return unit


def kept_share(full: Sequence[float], part: Sequence[float]) -> str:
    """The ratio of two means and its interval, queries resampled for both at once."""
    ours, whole = np.asarray(part), np.asarray(full)
    ratios = bootstrap_statistic(lambda counts: (counts @ ours) / (counts @ whole), len(ours))
    return f"{ours.mean() / whole.mean():.1%} {interval_in_percent(ratios)}"


def interval_in_percent(ratios: np.ndarray) -> str:
    """``[97.1, 99.2]``."""
    found = interval_of(ratios)
    return f"[{100 * found.low:.1f}, {100 * found.high:.1f}]"


def mean_over_seeds(rows: Mapping[str, Values], name: str) -> dict[str, list[float]]:
    """Each query's mean over the seeds measured so far."""
    return {dim: over_seeds(rows, name, dim) for dim in runs_of(rows, name)[0]}


def describe(rows: Mapping[str, Values]) -> str:
    """nDCG@10 by size, the share kept, and nested against plain."""
    means = {name: mean_over_seeds(rows, name) for name in (BASE, PLAIN, NESTED)}
    sizes = list(means[BASE])
    lines = ["| dimensions | " + " | ".join(means) + " | nested over plain |", "|---" * (2 + len(means)) + "|"]
    for size in sizes:
        cells = []
        for values in means.values():
            kept = "" if size == sizes[0] else f"; keeps {kept_share(values[sizes[0]], values[size])}"
            cells.append(f"{np.mean(values[size]):.4f}{kept}")
        lines.append(f"| {size} | " + " | ".join([*cells, difference(means[NESTED][size], means[PLAIN][size])]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a BEIR folder with qrels of a train and a test split")
    parser.add_argument("--pairs", type=int, default=3200)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--max-length", type=int, default=128, help="in training; evaluation takes the model's own")
    parser.add_argument("--queries", type=int, default=700)
    parser.add_argument("--documents", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    train_set, whole = (Collection.read_beir(given.data, split) for split in ("train", "test"))
    test_set = draw_test(whole, given.queries, given.documents)
    outcomes = Outcomes.open(given.output, given)
    base = Encoder.load(MODEL, precision="auto")
    outcomes.take(BASE, lambda: measure(base, test_set))
    for seed in range(given.seeds):
        source = Source.from_rows("pairs", draw_rows(train_set, given.pairs, seed))
        for name, parts in ((PLAIN, ()), (NESTED, PARTS)):
            settings = TrainingSettings(
                steps=given.pairs // given.batch,
                batch_size=given.batch,
                learning_rate=given.learning_rate,
                max_query_length=given.max_length,
                max_document_length=given.max_length,
                dims=tuple(base.dimension // part for part in parts),
                seed=seed,
            )
            outcomes.take(f"{name}, seed {seed}", partial(tuned, source, settings, test_set))
        write(given, whole, test_set, describe(outcomes.rows), seed + 1)


def tuned(source: Source, settings: TrainingSettings, test_set: Collection) -> Values:
    """Train, and measure what came of it."""
    encoder = train(Encoder.load(MODEL), [source], settings)
    encoder.precision = "auto"
    return measure(encoder, test_set)


def write(given: argparse.Namespace, whole: Collection, test_set: Collection, table: str, seeds: int) -> None:
    """Write what is known after so many seeds."""
    notes = (
        f"{told(test_set, whole)} {MODEL} trained on {given.pairs:,} "
        f"random training questions, {given.pairs // given.batch} steps of {given.batch}, Cosmith's default loss, with "
        f"and without its nested dimensions; {seeds} seed(s). nDCG@10 at the first so many dimensions, and the share "
        "of the same model's value at full size. Intervals: 95 %, bootstrap over queries, of the mean over seeds."
    )
    title, module = "Shorter vectors, with and without nested training", "benchmarks.quality.nested_dimensions"
    interleaved.write_up(title, module, options(given), notes, table, given.output)


if __name__ == "__main__":
    main()
