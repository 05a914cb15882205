"""What the thresholds of mining let through: hard negatives that are answers in truth, by the judgements of a test set.

python -m benchmarks.quality.mining_thresholds --data ../shared/data/scifact

Of every query with several relevant documents one, drawn at random, is told to the miner; the others are hidden among
all the documents, as answers are that nobody has marked. A hidden one among the negatives is a mistake that can be
counted. Documents that are relevant and not judged so cannot: all shares are lower bounds.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import interleaved
from benchmarks.quality.outcomes import options
from cosmith import Collection, Encoder, Source, TrainingRow
from cosmith.evaluation import bootstrap_statistic, interval_of
from cosmith.mining import mine_hard_negatives
from cosmith.mining.hard_negatives import Limits

MODEL = "all-MiniLM-L6-v2"
SETTINGS: Mapping[str, dict[str, float | None]] = {
    "none": {"ratio": None},
    **{f"ratio {ratio:g}": {"ratio": ratio} for ratio in (1.0, 0.98, 0.95, 0.9, 0.8)},
    **{f"margin {margin:g}": {"ratio": None, "margin": margin} for margin in (0.0, 0.02, 0.05, 0.1)},
    **{f"max_score {score:g}": {"ratio": None, "max_score": score} for score in (0.8, 0.7, 0.6, 0.5)},
    "ratio 0.95, margin 0.05": {"ratio": 0.95, "margin": 0.05},
}


@dataclass(frozen=True)
class Judged:
    """Documents, and for each distinct query all that answers it."""

    documents: Sequence[str]
    answers: Mapping[str, Sequence[str]]

    @classmethod
    def read(cls, folder: Path, splits: Sequence[str], queries: int | None, documents: int | None) -> Judged:
        """The judgements of several splits together; queries with the same words are one query.

        Args:
            folder: A BEIR folder.
            splits: Its qrels.
            queries: At most so many queries, those with several answers first.
            documents: At most so many documents: the answers, then others as they come.
        """
        parts = [Collection.read_beir(folder, split) for split in splits]
        spelled: dict[str, str] = {}
        answers: dict[str, dict[str, None]] = {}
        for part in parts:
            for query, grades in part.relevance.items():
                text = part.queries[query]
                text = spelled.setdefault(" ".join(re.findall(r"\w+", text.lower())), text)
                relevant = (part.documents[name] for name, grade in grades.items() if grade > 0)
                answers.setdefault(text, {}).update(dict.fromkeys(relevant))
        chosen = sorted(answers, key=lambda text: -len(answers[text]))[:queries]
        needed = dict.fromkeys(document for text in chosen for document in answers[text])
        others = [text for text in dict.fromkeys(parts[0].documents.values()) if text not in needed]
        wanted = None if documents is None else max(0, documents - len(needed))
        return cls([*needed, *others[:wanted]], {text: list(answers[text]) for text in chosen})


class Known:
    """An encoder whose vectors of all texts are made once, whatever is mined among them."""

    def __init__(self, encoder: Encoder, judged: Judged) -> None:
        self._encoder, self.dimension, self.max_length = encoder, encoder.dimension, encoder.max_length
        texts = {"query": list(judged.answers), "document": list(judged.documents)}
        self._place = {role: {text: n for n, text in enumerate(each)} for role, each in texts.items()}
        self._vectors = {role: encoder.encode(each, prompt=role) for role, each in texts.items()}

    def encode(self, texts: Sequence[str], *, prompt: str | None = None, **options: Any) -> np.ndarray:
        """The vectors of texts that are known in this role."""
        role = prompt or "document"
        return self._vectors[role][[self._place[role][text] for text in texts]]

    def fingerprint(self) -> str:
        """That of the encoder."""
        return self._encoder.fingerprint()


@dataclass
class Counts:
    """What a setting came to, by query, over all draws."""

    negatives: np.ndarray
    wrong: np.ndarray
    hidden: np.ndarray
    caught: np.ndarray
    rejected: int = 0
    estimated: float = 0.0
    scores: float = 0.0
    known: float = 0.0
    rows: int = 0

    @classmethod
    def none(cls, queries: int) -> Counts:
        """Nothing yet."""
        return cls(*(np.zeros(queries) for _ in range(4)))


def count(judged: Judged, encoder: Known, settings: Mapping[str, float | None], draw: int, negatives: int,
          counts: Counts) -> None:  # fmt: skip
    """Mine with one answer of each query known, and count what came of it."""
    rng = np.random.default_rng(draw)
    known = {query: texts[int(rng.integers(len(texts)))] for query, texts in judged.answers.items()}
    rows = [TrainingRow(query, (text,)) for query, text in known.items()]
    found = mine_hard_negatives(
        encoder, Source.from_rows("rows", rows), corpus=judged.documents, negatives_per_row=negatives, **settings
    )  # type: ignore[arg-type]
    limits = Limits(**{"ratio": None, **settings}).of(found.positive_scores)
    for number, row in enumerate(found.source.rows()):
        hidden = [text for text in judged.answers[row.query] if text != known[row.query]]
        counts.negatives[number] += len(row.negatives)
        counts.wrong[number] += len(set(row.negatives) & set(hidden))
        counts.hidden[number] += len(hidden)
        if hidden:
            scores = encoder.encode(hidden, prompt="document") @ encoder.encode([row.query], prompt="query")[0]
            counts.caught[number] += int((scores >= limits[number]).sum())
    counts.rejected += found.rejected
    counts.estimated += found.estimated_positives or 0.0
    counts.scores += float(found.negative_scores.sum())
    counts.known += float(found.positive_scores.sum())
    counts.rows += len(rows)


def share(part: np.ndarray, whole: np.ndarray) -> str:
    """A share of all, with its interval over queries; queries that have none of the whole are left out."""
    there = whole > 0
    if not there.any():
        return "–"
    part, whole = part[there], whole[there]
    values = bootstrap_statistic(lambda counts: (counts @ part) / (counts @ whole), len(part))
    interval = interval_of(values)
    return f"{part.sum() / whole.sum():.2%} [{interval.low:.2%}, {interval.high:.2%}]"


def table(found: Mapping[str, Counts], draws: int) -> str:
    """A line for each setting."""
    lines = [
        "| limit | negatives that are hidden answers | of the negatives of queries that have hidden ones "
        "| negatives a row | their mean cosine (answers') | hidden answers left out "
        "| left out in all | of these answers, by estimate | and in truth, at least |",
        "|---" * 9 + "|",
    ]
    for name, each in found.items():
        several = each.hidden > 0
        total = each.negatives.sum()
        lines.append(
            f"| {name} | {share(each.wrong, each.negatives)} | {share(each.wrong[several], each.negatives[several])} "
            f"| {total / each.rows:.2f} | {each.scores / max(total, 1):.3f} ({each.known / each.rows:.3f}) "
            f"| {share(each.caught, each.hidden)} | {each.rejected / draws:,.0f} | {each.estimated / draws:,.0f} "
            f"| {each.caught.sum() / draws:,.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a BEIR folder")
    parser.add_argument("--splits", nargs="+", default=["train", "test"], help="the qrels to put together")
    parser.add_argument("--negatives", type=int, default=4, help="a row")
    parser.add_argument("--draws", type=int, default=5, help="of the answer that is known")
    parser.add_argument("--queries", type=int, help="at most so many, those with several answers first")
    parser.add_argument("--documents", type=int, help="at most so many, all answers among them")
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    judged = Judged.read(given.data, given.splits, given.queries, given.documents)
    encoder = Known(Encoder.load(MODEL, precision="auto"), judged)
    found = {name: Counts.none(len(judged.answers)) for name in SETTINGS}
    for name, settings in SETTINGS.items():
        for draw in range(given.draws):
            count(judged, encoder, settings, draw, given.negatives, found[name])
        print(name, flush=True)
    several = sum(len(texts) > 1 for texts in judged.answers.values())
    hidden = sum(len(texts) - 1 for texts in judged.answers.values())
    notes = (
        f"{given.data.name}: {len(judged.answers):,} queries of {' and '.join(given.splits)} over "
        f"{len(judged.documents):,} documents; {several:,} queries have several relevant documents, of which one, "
        f"drawn {given.draws} times, is known to the miner and {hidden:,} in all are hidden. {given.negatives} "
        f"negatives a row, mined among all documents with {MODEL}. Documents that are relevant but were never judged "
        "count as true negatives, so shares of wrong ones are lower bounds. Intervals: 95 %, bootstrap over queries."
    )
    title, module = "What the thresholds of mining let through", "benchmarks.quality.mining_thresholds"
    interleaved.write_up(title, module, options(given), notes, table(found, given.draws), given.output)


if __name__ == "__main__":
    main()
