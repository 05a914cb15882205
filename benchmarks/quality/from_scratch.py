"""A model from nothing: what random weights, learning the language, and learning what belongs together are each worth.

python -m benchmarks.quality.from_scratch --data ../shared/data

The folder holds ``wiki-en-sample/text.txt`` (a paragraph a line), ``stsb/test.tsv`` and ``scifact`` (BEIR).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks import interleaved
from benchmarks.quality.outcomes import Outcomes, Values, difference, options
from benchmarks.quality.subsets import draw_test
from cosmith import Collection, Encoder, Source, TrainingRow, TrainingSettings, evaluate_retrieval, evaluate_sts, train
from cosmith.data import StsPairs, collect_functions, read_sts, weak_pairs
from cosmith.data.documents import Document
from cosmith.evaluation import bootstrap_interval
from cosmith.models import initialise
from cosmith.training.pretraining import pretrain

SPEARMAN, SCIFACT, FUNCTIONS = "STSBenchmark spearman", "SciFact ndcg@10", "functions ndcg@10"
RANDOM, LANGUAGE, PLAIN, FULL = "random weights", "masked language only", "pairs only", "masked language, then pairs"
LOSS = "loss of the last steps of masked language"


def read_paragraphs(path: Path, count: int, seed: int) -> list[str]:
    """A random ``count`` of the lines."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [lines[number] for number in np.random.default_rng(seed).permutation(len(lines))[:count]]


def split_functions(count: int, tested: int, seed: int) -> tuple[list[TrainingRow], Collection]:
    """Docstring sentence → function: training rows, and a test set from other packages than theirs."""
    pairs = collect_functions().pairs
    packages = sorted({pair.package for pair in pairs})
    order = np.random.default_rng(seed).permutation(len(packages))
    held_out = {packages[number] for number in order[: max(1, len(packages) // 5)]}
    rows = [TrainingRow(pair.query, (pair.document,)) for pair in pairs if pair.package not in held_out]
    test = [pair for pair in pairs if pair.package in held_out]
    collection = Collection(
        "functions",
        {f"d{number}": pair.document for number, pair in enumerate(test)},
        {f"q{number}": pair.query for number, pair in enumerate(test)},
        {f"q{number}": {f"d{number}": 1} for number in range(len(test))},
    )
    chosen = np.random.default_rng(seed).permutation(len(rows))[:count]
    return [rows[number] for number in chosen], draw_test(collection, tested, 2 * tested, seed)


def measure(encoder: Encoder, sts: StsPairs, collections: Sequence[Collection]) -> Values:
    """Spearman (one number) and nDCG@10 of each query."""
    similar = evaluate_sts(encoder, sts, name="STSBenchmark", resamples=0)
    found: dict[str, list[float]] = {SPEARMAN: [float(similar.value)]}
    for measure_name, collection in zip((SCIFACT, FUNCTIONS), collections, strict=True):
        scores = evaluate_retrieval(encoder, collection, ks=(10,), resamples=0)
        found[measure_name] = [float(value) for value in scores.per_query[scores.main]]
    return found


def losses(folder: Path) -> list[float]:
    """The loss of each step of a run."""
    entries = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [entry["loss"] for entry in entries if "loss" in entry]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with wiki-en-sample, stsb and scifact")
    parser.add_argument("--paragraphs", type=int, default=80_000)
    parser.add_argument("--functions", type=int, default=8000)
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--backbone", choices=("gemma", "bert"), default="gemma", help="whose layers")
    parser.add_argument("--language-steps", type=int, default=600, help="of learning the language")
    parser.add_argument("--language-batch", type=int, default=32)
    parser.add_argument("--language-length", type=int, default=64, help="tokens of a piece of text")
    parser.add_argument("--mask-rate", type=float, default=0.3)
    parser.add_argument("--steps", type=int, default=600, help="of 128 pairs")
    parser.add_argument("--points", type=int, default=3, help="measurements along the way of the pairs")
    parser.add_argument("--queries", type=int, default=300, help="of each retrieval test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown, and a chart as SVG")
    given = parser.parse_args()
    paragraphs = read_paragraphs(given.data / "wiki-en-sample" / "text.txt", given.paragraphs, given.seed)
    functions, functions_test = split_functions(given.functions, given.queries, given.seed)
    documents = [Document(str(number), text) for number, text in enumerate(paragraphs)]
    sources = [
        Source.from_rows("paragraphs", weak_pairs(documents).rows),
        Source.from_rows("functions", functions),
    ]
    sts = read_sts(given.data / "stsb" / "test.tsv")
    scifact = draw_test(Collection.read_beir(given.data / "scifact", "test"), given.queries, 2 * given.queries)
    texts = [*paragraphs, *(row.positives[0] for row in functions)]
    outcomes = Outcomes.open(given.output, given)

    def measured(encoder: Encoder) -> Values:
        encoder.precision = "auto"
        return measure(encoder, sts, (scifact, functions_test))

    start = initialise(
        texts,
        vocabulary=given.vocabulary,
        layers=given.layers,
        hidden=given.hidden,
        max_length=given.max_length,
        backbone=given.backbone,
        seed=given.seed,
    )
    outcomes.take(RANDOM, lambda: measured(start.copy()))
    settings = TrainingSettings(
        steps=given.language_steps,
        batch_size=given.language_batch,
        learning_rate=1e-3,
        max_document_length=given.language_length,
        freeze_embeddings=True,
        seed=given.seed,
    )
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) if given.output is None else given.output.with_suffix(".run")
        language = pretrain(start, texts, settings, mask_rate=given.mask_rate, folder=folder)
        outcomes.take(LOSS, lambda: {LOSS: losses(folder)[-100:]})
    outcomes.take(LANGUAGE, lambda: measured(language.copy()))
    for name, begin in ((FULL, language), (PLAIN, start)):
        if len(steps_of(outcomes, name)) < given.points:
            along_the_way(name, begin, sources, given, outcomes, measured)
        write(given, outcomes)


def every_of(given: argparse.Namespace) -> int:
    """Steps between two measurements."""
    return int(max(1, given.steps // given.points))


def along_the_way(
    name: str,
    begin: Encoder,
    sources: Sequence[Source],
    given: argparse.Namespace,
    outcomes: Outcomes,
    measured: Callable[[Encoder], Values],
) -> None:
    """Train on the pairs, measuring as it goes; the measurements choose nothing."""
    every = every_of(given)
    step = 0

    def look(encoder: Encoder) -> float:
        nonlocal step
        if step:
            outcomes.take(f"{name}, step {step}", lambda: measured(encoder.copy()))
        step += every
        return 0.0

    settings = TrainingSettings(
        steps=every * given.points,
        batch_size=128,
        learning_rate=5e-4,
        temperature=0.05,
        seed=given.seed,
        evaluate_every=every,
        keep_best=False,
        interpolate=False,
    )
    train(begin, sources, settings, dev=look)


def describe(outcomes: Outcomes) -> str:
    """What each model reaches in the end, and what the parts are worth; then the way there."""
    ends = {RANDOM: RANDOM, LANGUAGE: LANGUAGE}
    ends |= {name: list(along)[-1] for name in (PLAIN, FULL) if (along := steps_of(outcomes, name).values())}
    lines = [f"| | {SPEARMAN} | {SCIFACT} | {FUNCTIONS} |", "|---|---|---|---|"]
    for name, row in ends.items():
        values = outcomes.rows[row]
        cells = [f"{np.mean(values[key]):.4f} {bootstrap_interval(values[key])}" for key in (SCIFACT, FUNCTIONS)]
        lines.append(f"| {name} | {values[SPEARMAN][0]:.4f} | " + " | ".join(cells) + " |")
    if FULL in ends:
        for before in (name for name in (RANDOM, LANGUAGE, PLAIN) if name in ends):
            ours, theirs = outcomes.rows[ends[FULL]], outcomes.rows[ends[before]]
            cells = [difference(ours[key], theirs[key]) for key in (SCIFACT, FUNCTIONS)]
            gain = ours[SPEARMAN][0] - theirs[SPEARMAN][0]
            lines.append(f"| {FULL}, over {before} | {gain:+.4f} | " + " | ".join(cells) + " |")
    lines += ["", f"| steps | {SPEARMAN} | {SCIFACT} | {FUNCTIONS} |", "|---|---|---|---|"]
    for name in (PLAIN, FULL):
        for step, row in steps_of(outcomes, name).items():
            cells = [f"{np.mean(outcomes.rows[row][key]):.4f}" for key in (SPEARMAN, SCIFACT, FUNCTIONS)]
            lines.append(f"| {name}, {step} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def steps_of(outcomes: Outcomes, name: str) -> dict[int, str]:
    """Step → row of what was measured on the way of one model."""
    start = f"{name}, step "
    found = {int(row.removeprefix(start)): row for row in outcomes.rows if row.startswith(start)}
    return dict(sorted(found.items()))


def draw(outcomes: Outcomes, path: Path) -> None:
    """The way there as a chart: each measure over the steps."""
    import altair as alt

    rows = [
        {"step": step, "model": name, "measure": key, "value": float(np.mean(outcomes.rows[row][key]))}
        for name in (PLAIN, FULL)
        for step, row in {0: RANDOM if name == PLAIN else LANGUAGE, **steps_of(outcomes, name)}.items()
        for key in (SPEARMAN, SCIFACT, FUNCTIONS)
    ]
    lines = alt.Chart(alt.InlineData(values=rows)).mark_line(point=True)
    chart = lines.encode(x="step:Q", y=alt.Y("value:Q", title=None), color=alt.Color("model:N", title=None))
    chart.properties(width=220, height=180).facet(column=alt.Column("measure:N", title=None)).save(str(path))


def write(given: argparse.Namespace, outcomes: Outcomes) -> None:
    """Write what is known so far, the chart beside it."""
    notes = (
        f"{given.layers} layers of {given.backbone}'s kind of width {given.hidden}, random weights, "
        f"byte-level BPE of {given.vocabulary:,} tokens "
        f"learnt from {given.paragraphs:,} paragraphs of Wikipedia and {given.functions:,} functions of the installed "
        f"Python packages. Masked language: {given.language_steps:,} steps of {given.language_batch} pieces of "
        f"{given.language_length} tokens of both, {given.mask_rate:.0%} masked, embeddings left "
        f"as they are; loss in the end {np.mean(outcomes.rows[LOSS][LOSS]):.2f}. Pairs: first sentence and rest of the "
        f"paragraphs, docstring sentence and function; {given.points * every_of(given)} steps of 128 at "
        f"{given.max_length} tokens, temperature 0.05. Tests: STSBenchmark's test split; SciFact's and held-out "
        "packages' functions, "
        f"{given.queries} queries at most over {2 * given.queries} documents each, so values compare within this table "
        "only. One seed. Intervals: 95 %, bootstrap over queries; differences are paired. The chart beside this "
        "table has the same values."
    )
    interleaved.write_up(
        "A model from nothing",
        "benchmarks.quality.from_scratch",
        options(given),
        notes,
        describe(outcomes),
        given.output,
    )
    if given.output is not None:
        draw(outcomes, given.output.with_suffix(".svg"))


if __name__ == "__main__":
    main()
