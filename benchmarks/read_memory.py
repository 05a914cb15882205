"""Memory: writing a source of more and more rows, and parting one in a recipe.

python -m benchmarks.read_memory --rows 100000 1000000
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random

from benchmarks import interleaved

WAYS = ("Source.write", "source stage")


def write_rows(path: Path, rows: int, lengths: Sequence[int]) -> None:
    """Pairs with two negatives of synthetic words; every tenth query and every fourth negative has stood before.

    Args:
        path: Where to.
        rows: How many.
        lengths: How many words a query, an answer and a negative have.
    """
    of_query, of_answer, of_negative = lengths
    random = Random(0)
    words = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randint(2, 9))) for _ in range(5000)]

    def text(name: str, number: int, length: int) -> str:
        return f"{name} {number} " + " ".join(random.choices(words, k=length))

    with path.open("w", encoding="utf-8") as handle:
        for number in range(rows):
            query = f"query {random.randrange(number)}" if number % 10 == 9 else text("query", number, of_query)
            negatives = [text("passage", number, of_negative), f"shared passage {random.randrange(1 + number // 4)}"]
            row = {"query": query, "positive": text("answer", number, of_answer), "negative": negatives}
            handle.write(json.dumps(row) + "\n")


def work(way: str, pairs: Path, folder: Path) -> dict[str, float]:
    """Write the source in this process; its peak memory, and what it had before it began, in MB."""
    few = folder / "few.jsonl"
    with pairs.open(encoding="utf-8") as lines:
        few.write_text("".join(islice(lines, 1000)), encoding="utf-8")
    write(way, few, folder / "few")  # what is imported and set up once
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = status_of("VmRSS")
    with Watch() as anonymous:
        write(way, pairs, folder / "all")
    return {"before": before, "peak": status_of("VmHWM"), "peak anonymous": max(anonymous)}


def write(way: str, pairs: Path, folder: Path) -> None:
    """Write a source."""
    from cosmith.data import Source, open_rows
    from cosmith.recipes import load_recipe, parse_document, run_recipe

    if way == "Source.write":
        Source.write(folder, "source", open_rows(pairs))
    else:
        recipe = {"name": "memory", "stages": {"data": {"kind": "source", "path": str(pairs)}}}
        run_recipe(load_recipe(parse_document(json.dumps(recipe))), folder)


class Watch:
    """Looks at the process's anonymous memory every 20 milliseconds."""

    def __init__(self) -> None:
        self.seen: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> list[float]:
        self._thread.start()
        return self.seen

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.seen = self.seen or []
            self.seen.append(status_of("RssAnon"))
            if self._ended.wait(0.02):
                return


def status_of(key: str) -> float:
    """A number of the process's status, in MB: ``VmRSS``, ``VmHWM``, ``RssAnon``."""
    found = re.search(rf"^{key}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else float("nan")


def measured(rows: int, pairs: Path, ways: Sequence[str], place: Path) -> Iterator[str]:
    """A line of the table for each way, each in a process of its own."""
    size = pairs.stat().st_size / 1e6
    for way in ways:
        with tempfile.TemporaryDirectory(dir=place) as folder:
            command = [sys.executable, "-m", "benchmarks.read_memory", "--worker", way, str(pairs), folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{way} failed:\n{done.stderr[-4000:]}")
            found = json.loads(done.stdout.splitlines()[-1])
        cells = f"{found['before']:,.0f} | {found['peak']:,.0f} | {found['peak anonymous']:,.0f}"
        line = f"| {way} | {rows:,} | {size:,.0f} | {cells} |"
        print(line, flush=True)
        yield line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--words", type=int, nargs=3, default=[8, 40, 30], help="Of a query, an answer, a negative.")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--folder", type=Path, help="Where there is room; by default the system's temporary folder.")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        way, pairs, folder = given.worker
        print(json.dumps(work(way, Path(pairs), Path(folder))))
        return
    lines = ["| | rows | MB of JSON lines | MB before | peak MB | of which not of files |", "|---|" + "---:|" * 5]
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        for rows in given.rows:
            pairs = Path(place) / "pairs.jsonl"
            write_rows(pairs, rows, given.words)
            lines += measured(rows, pairs, given.ways, Path(place))
    notes = (
        "Rows of a query, an answer and two negatives, of synthetic words. `MB before` is what the process holds "
        "after a thousand rows; `peak MB` its largest resident set, mapped files included; the last column the part of "
        "it that the system cannot take back by reading files again, looked at every 20 ms. The stage parts the rows "
        "into training, development and test sets, writes them, holds the training rows against the two sets, and "
        "counts for the data card: what it holds of a row is its group's key, while the split is drawn, a key for the "
        "card, and a byte or two; and the files of numbers are gone through at random."
    )
    said = {"rows": given.rows, "words": given.words}
    arguments = [f"--{name} " + " ".join(map(str, values)) for name, values in said.items()]
    interleaved.write_up(
        "Memory of reading", "benchmarks.read_memory", arguments, notes, "\n".join(lines), given.output
    )


if __name__ == "__main__":
    main()
