"""Mining hard negatives: Cosmith against sentence-transformers, all-MiniLM-L6-v2, the same pairs.

python -m benchmarks.mining_throughput --pairs 20000 --rounds 3
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import interleaved
from benchmarks.pairs import read_pairs, write_pairs, write_sentences

CONTEST = interleaved.Contest(
    module="benchmarks.mining_throughput",
    contestants=(
        "cosmith bf16",
        "cosmith float32",
        "sentence-transformers float32",
        "sentence-transformers float32 faiss",
        "sentence-transformers bf16",
    ),
    figures={"pairs per CPU second": True, "pairs per second": True, "peak MB": False},
)
Miner = Callable[[Sequence[tuple[str, str]]], dict[str, list[str]]]
"""Pairs → the negatives of each query."""

FOUND = ("negatives a row", "rows with fewer", "negatives", "wrong ones")


def work(contestant: str, pairs: Sequence[tuple[str, str]], negatives: int, ratio: float) -> dict[str, float]:
    """Load the model, mine once, and count what came of it; loading does not count."""
    library, precision, *how = contestant.split()
    mine = (of_cosmith if library == "cosmith" else of_sentence_transformers)(precision, negatives, ratio, bool(how))
    mine(pairs[:64])
    wall, cpu = time.perf_counter(), time.process_time()
    found = mine(pairs)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = interleaved.peak_megabytes()
    total = sum(map(len, found.values()))
    return {
        "pairs per CPU second": len(pairs) / cpu,
        "pairs per second": len(pairs) / wall,
        "peak MB": peak,
        "negatives a row": total / len(found),
        "rows with fewer": sum(len(each) < negatives for each in found.values()),
        "negatives": total,
        "wrong ones": wrong(pairs, found),
    }


def of_cosmith(precision: str, negatives: int, ratio: float, _: bool) -> Miner:
    """By Cosmith."""
    from cosmith import Encoder, Source, TrainingRow, mine_hard_negatives

    encoder = Encoder.load("all-MiniLM-L6-v2", precision=precision)  # type: ignore[arg-type]

    def mine(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
        source = Source.from_rows("pairs", [TrainingRow(query, (document,)) for query, document in pairs])
        mined = mine_hard_negatives(encoder, source, negatives_per_row=negatives, ratio=ratio).source
        return {row.query: list(row.negatives) for row in mined.rows()}

    return mine


def of_sentence_transformers(precision: str, negatives: int, ratio: float, faiss: bool) -> Miner:
    """By sentence-transformers, at its defaults but for what is asked of both."""
    import torch
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    from cosmith.models import find_model

    model = SentenceTransformer(str(find_model("all-MiniLM-L6-v2")), device="cpu")

    def mine(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
        table = Dataset.from_dict({"query": [query for query, _ in pairs], "answer": [answer for _, answer in pairs]})
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            # As triplets: in the form with a column a negative, rows with fewer than asked for are dropped.
            triplets = mine_hard_negatives(
                table, model, num_negatives=negatives, relative_margin=1 - ratio, output_format="triplet",
                use_faiss=faiss, verbose=False,
            )  # fmt: skip
        found: dict[str, list[str]] = {query: [] for query, _ in pairs}
        for row in triplets:
            if row["negative"] not in found[row["query"]]:
                found[row["query"]].append(row["negative"])
        return found

    return mine


def wrong(pairs: Sequence[tuple[str, str]], found: Mapping[str, Sequence[str]]) -> int:
    """How many negatives are the answer to a query of the same words: such are answers in truth."""
    answers: dict[str, set[str]] = {}
    for query, answer in pairs:
        answers.setdefault(words(query), set()).add(answer)
    return sum(len(answers[words(query)] & set(negatives)) for query, negatives in found.items())


def words(text: str) -> str:
    """The words of a text, whatever stands between them."""
    return " ".join(re.findall(r"\w+", text.lower()))


def of_what_was_found(results: Sequence[Mapping[str, Mapping[str, float]]]) -> str:
    """The medians of what was mined, as Markdown."""
    lines = ["| | " + " | ".join(FOUND) + " |", "|---" * (len(FOUND) + 1) + "|"]
    for name in results[0]:
        cells = [f"{statistics.median(each[name][key] for each in results):,g}" for key in FOUND]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--negatives", type=int, default=3)
    parser.add_argument("--ratio", type=float, default=0.95)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path)
    parser.add_argument(
        "--text", type=Path, help="a file with a paragraph a line: pairs of sentences in place of those of this Python"
    )
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--contestants", nargs="+", choices=CONTEST.contestants, default=CONTEST.contestants)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        pairs = read_pairs(given.file)[: given.pairs]
        print(json.dumps(work(given.worker, pairs, given.negatives, given.ratio)))
        return
    options = [f"--pairs {given.pairs} --negatives {given.negatives} --ratio {given.ratio:g} --rounds {given.rounds}"]
    options.append(f"--threads {given.threads} --contestants {' '.join(map(repr, given.contestants))}")
    contest = replace(CONTEST, contestants=given.contestants)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.jsonl"
        if given.text is None:
            write_pairs(file, given.pairs)
        else:
            write_sentences(file, given.text, given.pairs)
            options.append(f"--text {given.text.parent.name}/{given.text.name}")
        passed = ["--file", str(file), "--pairs", str(given.pairs), "--negatives", str(given.negatives)]
        results = interleaved.run(contest, [*passed, "--ratio", str(given.ratio)], given.rounds, given.threads)
    faiss = ", and with faiss in place of its own search" if any("faiss" in name for name in given.contestants) else ""
    what = "docstring sentences and function bodies"
    if given.text is not None:
        what = f"first and second sentences of paragraphs of {given.text.parent.name}"
    notes = (
        f"{given.pairs:,} pairs ({what}), all-MiniLM-L6-v2, at most 256 tokens, {given.threads} thread(s); texts are "
        f"encoded and {given.negatives} negatives a row are mined that score below {given.ratio:g} of the answer. "
        "sentence-transformers at its defaults (batch 32, a window of ranks that it derives from the number of "
        f"negatives{faiss}). Vectors are compared in float32 by all; the precision named "
        "is that of the encoder (bf16 is autocast in both). Wrong: the answer to a query of the same words."
    )
    body = interleaved.table(contest, results) + "\n\n" + of_what_was_found(results)
    interleaved.write_up("Mining throughput", CONTEST.module, options, notes, body, given.output)


if __name__ == "__main__":
    main()
