"""A student that reads many scripts follows an English teacher: does a sentence find its translation?

The packaged teacher's WordPiece vocabulary lacks most scripts, so it cannot be the student. The student is made here:
a byte-level BPE vocabulary learnt from the training sentences and a vector a token, averaged (a static model).

python -m benchmarks.quality.multilingual --data ../shared/data/tatoeba
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import interleaved
from benchmarks.quality.outcomes import Outcomes, Values, difference, options, values_of
from cosmith import Collection, Encoder, Source, TrainingRow, TrainingSettings, evaluate_retrieval, train
from cosmith.data import SourceSettings
from cosmith.models import initialise_static, train_tokenizer

TEACHER = "all-MiniLM-L6-v2"
MEASURE = "recall@1"
UNSEEN = ("spa", "swh")  # held out wholly: one with a relative among the others, one without
MODELS = ("teacher", "student, untrained", "student, trained")

Pairs = Sequence[tuple[str, str]]
"""(sentence, English)"""


def read_languages(folder: Path) -> dict[str, Pairs]:
    """The pairs of each ``XXX-eng.tsv``, by language."""
    found: dict[str, Pairs] = {}
    for path in sorted(folder.glob("*-eng.tsv")):
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
        found[path.name.removesuffix("-eng.tsv")] = [(row[0], row[1]) for row in rows[1:]]
    if not found:
        raise SystemExit(f"{folder} holds no XXX-eng.tsv")
    return found


def held_out(languages: Mapping[str, Pairs], share: float, seed: int) -> frozenset[str]:
    """English sentences, with whose translations into any language nothing is trained: a share of all."""
    english = sorted({english for pairs in languages.values() for _, english in pairs})
    chosen = np.random.default_rng(seed).permutation(len(english))[: round(share * len(english))]
    return frozenset(english[number] for number in chosen)


def training_rows(languages: Mapping[str, Pairs], kept_back: frozenset[str]) -> list[TrainingRow]:
    """English sentence → its translations into the seen languages."""
    translations: dict[str, list[str]] = {}
    for language, pairs in languages.items():
        for sentence, english in pairs:
            if language not in UNSEEN and english not in kept_back:
                translations.setdefault(english, []).append(sentence)
    return [TrainingRow(english, tuple(dict.fromkeys(others))) for english, others in translations.items()]


def mining_task(language: str, pairs: Pairs, kept_back: frozenset[str]) -> Collection:
    """Each held-out sentence of a language searches for its translation among the held-out English sentences."""
    tested = [(sentence, english) for sentence, english in pairs if english in kept_back]
    names = {english: f"d{number}" for number, english in enumerate(dict.fromkeys(english for _, english in tested))}
    return Collection(
        language,
        {name: english for english, name in names.items()},
        {f"q{number}": sentence for number, (sentence, _) in enumerate(tested)},
        {f"q{number}": {names[english]: 1} for number, (_, english) in enumerate(tested)},
    )


def mined(encoder: Encoder, task: Collection) -> Values:
    """Whether each sentence finds its translation first."""
    return values_of(evaluate_retrieval(encoder, task, ks=(1,), main=MEASURE, resamples=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of XXX-eng.tsv with a header line")
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--held-out", type=float, default=0.2, help="share of the English sentences kept for the test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    languages = read_languages(given.data)
    kept_back = held_out(languages, given.held_out, given.seed)
    rows = training_rows(languages, kept_back)
    teacher = Encoder.load(TEACHER, precision="auto")
    texts = [text for row in rows for text in (row.query, *row.positives)]
    tokenizer = train_tokenizer(texts, given.vocabulary)
    student = initialise_static(tokenizer, dimension=teacher.dimension, seed=given.seed)
    settings = TrainingSettings(
        steps=given.steps,
        batch_size=given.batch,
        learning_rate=given.learning_rate,
        loss="follow-query",
        seed=given.seed,
    )
    source = Source.from_rows("translations", rows, SourceSettings(task="bitext"))
    tuned = train(student, [source], settings, teacher=teacher)
    outcomes = Outcomes.open(given.output, given)
    for name, model in zip(MODELS, (teacher, student, tuned), strict=True):
        for language, pairs in languages.items():
            task = mining_task(language, pairs, kept_back)
            outcomes.take(f"{language}, {name}", partial(mined, model, task))
    write(given, rows, describe(outcomes, list(languages)))


def describe(outcomes: Outcomes, languages: Sequence[str]) -> str:
    """A row a language, those held out last, and the mean over the seen and the unseen ones."""
    lines = [
        "| language | sentences | " + " | ".join(MODELS) + " | after over before | over the teacher |",
        "|---" * 7 + "|",
    ]
    seen = [language for language in languages if language not in UNSEEN]
    unseen = [language for language in languages if language in UNSEEN]
    groups = {name: [name] for name in seen} | {"all trained on": seen}
    groups |= {f"{name}, never trained on": [name] for name in unseen}
    for title, members in groups.items():
        values = [
            [value for member in members for value in outcomes.rows[f"{member}, {model}"][MEASURE]] for model in MODELS
        ]
        cells = [f"{np.mean(each):.3f}" for each in values]
        cells += [difference(values[2], values[1]), difference(values[2], values[0])]
        lines.append(f"| {title} | {len(values[0])} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write(given: argparse.Namespace, rows: Sequence[TrainingRow], table: str) -> None:
    """Write the table with what it means."""
    notes = (
        f"Share of held-out sentences whose nearest English sentence among the held-out ones of that language is their "
        f"translation. No held-out English sentence was trained with, in any language; {' and '.join(UNSEEN)} are held "
        f"out wholly. The teacher, {TEACHER}, reads English. Its WordPiece vocabulary lacks most of these scripts, so "
        f"the student is another model: byte-level BPE of at most {given.vocabulary:,} tokens learnt from the training "
        "sentences, and the mean of a random vector a token, trained on "
        f"{sum(len(row.positives) for row in rows):,} translations of {len(rows):,} English sentences to have the "
        f"teacher's vector of the English one (follow-query), {given.steps} steps of {given.batch}, learning rate "
        f"{given.learning_rate:g}, one seed. Intervals: 95 %, bootstrap over sentences, paired."
    )
    title, module = "A many-language student of an English teacher", "benchmarks.quality.multilingual"
    interleaved.write_up(title, module, options(given), notes, table, given.output)


if __name__ == "__main__":
    main()
