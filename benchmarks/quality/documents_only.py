"""From documents alone to a better model, step by step: weak pairs, queries that are written, filters, hard negatives.

python -m benchmarks.quality.documents_only --data ../shared/data/medquad --seeds 0 1 2 --output table.md

The queries are written by the stand-in of benchmarks/language_model_stand_in.py, which is no language model: it puts
the longest rarer words of a document in a row. Its rows show the way and what filters do, not what synthesis can do.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from benchmarks import interleaved, language_model_stand_in
from benchmarks.quality.outcomes import Outcomes, Values, difference, options, over_seeds, runs_of, values_of
from benchmarks.quality.subsets import draw_test, told
from cosmith import Collection, Encoder, Source, TrainingSettings, evaluate_retrieval, train
from cosmith.data import overlap_with_collection, weak_pairs
from cosmith.data.cleaning import NearDuplicates, Step, clean_rows, filters_asked
from cosmith.data.documents import Document
from cosmith.evaluation import bootstrap_interval, evaluate_bm25
from cosmith.mining import mine_hard_negatives, round_trip
from cosmith.mining.synthesis import Endpoint, SynthesisSettings, passages_of, synthesise

MODEL = "all-MiniLM-L6-v2"
MEASURE, PAIRS = "ndcg@10", "pairs"
BASE, BM25 = "base model", "BM25"
WEAK, SYNTHETIC = "weak pairs", "stand-in queries"
WEAK_FILTERED, ROUND_TRIP = "weak pairs, filtered", "stand-in queries, after the round trip"
BOTH, MINED = "weak pairs and stand-in queries, filtered", "the same with mined hard negatives"
BEFORE: Mapping[str, str] = {
    WEAK: BASE, WEAK_FILTERED: WEAK, SYNTHETIC: BASE, ROUND_TRIP: SYNTHETIC, BOTH: WEAK_FILTERED, MINED: BOTH,
}  # fmt: skip
"""Each way to train → what it adds a step to."""
LEAST_WORDS, NEARLY = 3, 0.8


@dataclass(frozen=True)
class Made:
    """What a model is trained on.

    Attributes:
        sources: Rows; a step of the training takes its rows from one of them.
        gone: The filters of this step → how many pairs each left out; ``hard negatives`` → how many were found.
    """

    sources: tuple[Source, ...]
    gone: Mapping[str, int]

    def counts(self) -> Values:
        """The counts, as values to be kept beside those of the queries."""
        return {PAIRS: [sum(map(len, self.sources))], **{name: [count] for name, count in self.gone.items()}}


@dataclass(frozen=True)
class Material:
    """All that is made of some documents; each step is made when it is first asked for.

    Attributes:
        documents: The documents.
        tests: No row may train on one of its queries.
        seed: Of what the stand-in is asked.
    """

    documents: Sequence[Document]
    tests: Collection
    seed: int

    @cached_property
    def encoder(self) -> Encoder:
        """The base model, for all that is searched."""
        return Encoder.load(MODEL, precision="auto")

    @cached_property
    def weak(self) -> Made:
        """The first sentence of each document with the rest of it: the only default form that needs no title."""
        found = weak_pairs(self.documents)
        dropped: Counter[str] = sum((Counter(each.dropped) for each in found.counts.values()), Counter())
        return Made((Source.from_rows("weak", found.rows),), dropped)

    @cached_property
    def weak_filtered(self) -> Made:
        """Those that pass the filters."""
        return filtered(self.weak.sources[0], self.tests)

    @cached_property
    def synthetic(self) -> Made:
        """A query for each document by the stand-in."""
        with language_model_stand_in.running() as service, tempfile.TemporaryDirectory() as folder:
            made = synthesise(
                passages_of({each.id: each.text for each in self.documents}),
                Endpoint(service.url, "stand-in"),
                SynthesisSettings(seed=self.seed),
                cache=Path(folder) / "answers.sqlite",
                encoder=self.encoder,
            )
        return Made((Source.from_rows("synthetic", [each.row for each in made.rows]),), made.reasons)

    @cached_property
    def after_round_trip(self) -> Made:
        """Those whose document comes first among all documents in a search for their query."""
        (source,) = self.synthetic.sources
        kept = round_trip(self.encoder, source, (each.text for each in self.documents)).source
        return Made((kept,), {"round trip": len(source) - len(kept)})

    @cached_property
    def both(self) -> Made:
        """Weak pairs and queries that passed the round trip, all filtered."""
        synthetic = filtered(self.after_round_trip.sources[0], self.tests)
        return Made((*self.weak_filtered.sources, *synthetic.sources), synthetic.gone)

    @cached_property
    def mined(self) -> Made:
        """The same with a hard negative a row, among the documents of its own source: of a document the others have
        another part."""
        found = [mine_hard_negatives(self.encoder, source) for source in self.both.sources]
        return Made(tuple(each.source for each in found), {"hard negatives": sum(each.negatives for each in found)})

    def made(self, name: str) -> Made:
        """What one of the ways to train is trained on."""
        ways: Mapping[str, Callable[[], Made]] = {
            WEAK: lambda: self.weak, WEAK_FILTERED: lambda: self.weak_filtered, SYNTHETIC: lambda: self.synthetic,
            ROUND_TRIP: lambda: self.after_round_trip, BOTH: lambda: self.both, MINED: lambda: self.mined,
        }  # fmt: skip
        return ways[name]()


def filtered(source: Source, tests: Collection) -> Made:
    """Without boilerplate, what is too short, what is nearly there already, and what trains on a test query.

    Two queries for nearly one document are left out as well: each document would stand among the negatives of the
    other's query.
    """
    asked = filters_asked(boilerplate=True, lengths={"least_words": LEAST_WORDS})
    cleaned = clean_rows(source, asked)
    apart = clean_rows(cleaned.source, [NearDuplicates(NEARLY)], part="document")
    overlap = overlap_with_collection(apart.source, tests)
    left = apart.source.select(np.setdiff1d(np.arange(len(apart.source)), overlap.rows))
    steps = [*cleaned.steps, *apart.steps, Step("test queries", len(apart.source), len(left), {})]
    return Made((replace(left, name=source.name),), {step.name: step.before - step.after for step in steps})


def trained(made: Made, given: argparse.Namespace, seed: int) -> Encoder:
    """The base model, trained for the same number of steps whatever it is trained on."""
    settings = TrainingSettings(
        steps=given.steps,
        batch_size=given.batch,
        learning_rate=given.learning_rate,
        max_query_length=given.max_length,
        max_document_length=given.max_length,
        seed=seed,
    )
    return train(Encoder.load(MODEL), made.sources, settings)


def drawn(whole: Collection, count: int, seed: int) -> list[Document]:
    """A random ``count`` of the documents, without their questions."""
    documents = list(whole.documents.items())
    return [Document(*documents[number]) for number in np.random.default_rng(seed).permutation(len(documents))[:count]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a BEIR folder with qrels of a test split")
    parser.add_argument("--sources", type=int, default=3200, help="documents that pairs are made of")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=3e-5)
    parser.add_argument("--max-length", type=int, default=128, help="in training; all else takes the model's own")
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--documents", type=int, default=2000, help="that the test searches")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the documents drawn and of training")
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    whole = Collection.read_beir(given.data, "test")
    test_set = draw_test(whole, given.queries, given.documents)
    outcomes = Outcomes.open(given.output, given)

    def measured(encoder: Encoder) -> Values:
        encoder.precision = "auto"
        return values_of(evaluate_retrieval(encoder, test_set, ks=(10,), resamples=0))

    def tuned(material: Material, name: str) -> Values:
        made = material.made(name)
        return {**measured(trained(made, given, material.seed)), **made.counts()}

    outcomes.take(BASE, lambda: measured(Encoder.load(MODEL)))
    outcomes.take(BM25, lambda: values_of(evaluate_bm25(test_set, ks=(10,), resamples=0)))
    for seed in given.seeds:
        material = Material(drawn(whole, given.sources, seed), whole, seed)
        for name in BEFORE:
            outcomes.take(f"{name}, seed {seed}", partial(tuned, material, name))
        write(given, whole, test_set, outcomes.rows)


def describe(rows: Mapping[str, Values]) -> str:
    """Every way to train against the base model, BM25 and the step before, then what each step left out."""
    lines = [
        f"| | pairs | {MEASURE}, mean over seeds | over {BASE} | over {BM25} | over the step before |",
        "|---" * 6 + "|",
        *(f"| {name} | | {np.mean(rows[name][MEASURE]):.4f} {bootstrap_interval(rows[name][MEASURE])} | "
          f"{'' if name == BASE else difference(rows[name][MEASURE], rows[BASE][MEASURE])} | | |"
          for name in (BASE, BM25)),
    ]  # fmt: skip
    values = {name: rows[name][MEASURE] for name in (BASE, BM25)}
    gone = []
    for name, before in BEFORE.items():
        values[name] = over_seeds(rows, name, MEASURE)
        runs = runs_of(rows, name)
        each = [float(np.mean(run[MEASURE])) for run in runs]
        spread = f" ({min(each):.4f} to {max(each):.4f})" if len(each) > 1 else ""
        cells = [
            counts(runs, PAIRS),
            f"{np.mean(values[name]):.4f} {bootstrap_interval(values[name])}{spread}",
            *(difference(values[name], values[other]) for other in (BASE, BM25)),
            f"{before}: {difference(values[name], values[before])}",
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        told = dict.fromkeys(what for run in runs for what in run if what not in (MEASURE, PAIRS))
        gone.append(f"* {name}: " + (", ".join(f"{what} {counts(runs, what)}" for what in told) or "none"))
    heading = (
        "Pairs that each step left out of those it adds, filter by filter (of hard negatives: how many were found):"
    )
    return "\n".join([*lines, "", heading, "", *gone])


def counts(runs: Sequence[Values], what: str) -> str:
    """A count under each seed: ``2,841 / 2,866``."""
    return " / ".join(f"{int(run.get(what, [0])[0]):,}" for run in runs)


def write(given: argparse.Namespace, whole: Collection, test_set: Collection, rows: Mapping[str, Values]) -> None:
    """Write what is known so far."""
    seeds = len(runs_of(rows, MINED))
    notes = (
        f"{told(test_set, whole)} {MODEL} trained on what is made of {given.sources:,} random documents of the corpus, "
        f"whose questions it never sees: {given.steps} steps of {given.batch} pairs in each row, learning rate "
        f"{given.learning_rate:g}, texts cut at {given.max_length} tokens. Weak pairs: the first sentence of a document"
        " with the rest of it (the documents have no titles). Stand-in queries: one a document, by the whole way of "
        "`cosmith data synthesise`, but from a stand-in that is **no language model**: it puts the longest rarer words "
        "of the document in a row, so these rows show what filters do, not what synthesis can do. Round trip: the "
        "document comes first among all in a search for its query with the base model. Filtered: no boilerplate lines, "
        f"{LEAST_WORDS} words and more, no document that is nearly another one (Jaccard similarity {NEARLY:g}), no row "
        f"that trains on any of the {len(whole.queries):,} test questions. Hard negatives: one a row, by the base "
        "model, within the positive-aware limit (0.95 of the positive's score). "
        f"{'One seed' if seeds == 1 else f'{seeds} seeds'} of the documents drawn and of training. "
        "Intervals: 95 %, bootstrap over queries, of the mean over seeds; differences are paired by query."
    )
    title, module = f"From the documents of {whole.name} alone, step by step", "benchmarks.quality.documents_only"
    interleaved.write_up(title, module, options(given), notes, describe(rows), given.output)


if __name__ == "__main__":
    main()
