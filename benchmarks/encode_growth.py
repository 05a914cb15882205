"""Growth: encoding a stream of more and more texts; time and memory.

python -m benchmarks.encode_growth --model FOLDER --texts 1000 10000 100000
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import interleaved
from benchmarks.read_memory import Watch, status_of


def texts(count: int, words: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """Synthetic texts with an id each, of so many words at least and at most, no two alike."""
    random = Random(0)
    known = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randint(2, 6))) for _ in range(5000)]
    for number in range(count):
        yield str(number), f"{number} " + " ".join(random.choices(known, k=random.randint(*words)))


class Control:
    """The same few texts, encoded again before each shard: how fast the machine is then, which others may share."""

    def __init__(self, encoder: Any, few: Sequence[str], rows: int) -> None:
        self.encoder, self.few, self.rows = encoder, few, rows
        self.seconds: list[float] = []

    def between(self, given: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Texts, with the control before the first of each shard."""
        for number, text in enumerate(given):
            if number % self.rows == 0:
                self.run()
            yield text

    def run(self) -> None:
        began = time.process_time()
        self.encoder.encode(self.few)
        self.seconds.append(time.process_time() - began)


def work(given: argparse.Namespace, count: int, folder: Path) -> dict[str, float]:
    """Encode in this process, after a first shard that is not counted: processor seconds and memory in MB."""
    from cosmith.models import load_encoder
    from cosmith.retrieval import encode_stream

    words = (given.words[0], given.words[1])
    encoder = load_encoder(given.model, precision=given.precision)
    encode_stream(encoder, texts(256, words), folder / "few")  # what is imported and set up once
    control = Control(encoder, [text for _, text in texts(given.control, words)], given.rows)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = status_of("VmRSS"), time.process_time()
    with Watch() as anonymous:
        found = encode_stream(encoder, control.between(texts(count, words)), folder / "all", rows=given.rows)
    assert found.texts == count
    seconds, peak = time.process_time() - began - sum(control.seconds), status_of("VmHWM")
    control.run()
    of_control = statistics.fmean(control.seconds) / given.control
    return {"seconds": seconds, "control": of_control, "tokens": found.tokens or 0, "before": before, "peak": peak,
            "peak anonymous": max(anonymous)}  # fmt: skip


def measured(given: argparse.Namespace, counts: Sequence[int]) -> Iterator[str]:
    """A line of the table for each number of texts, each in a process of its own."""
    base: float | None = None
    for count in counts:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            command = [sys.executable, "-m", "benchmarks.encode_growth", "--worker", str(count), folder,
                       "--model", given.model, "--precision", given.precision, "--rows", str(given.rows),
                       "--control", str(given.control), "--words", *map(str, given.words)]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{count} texts failed:\n{done.stderr[-4000:]}")
            found = json.loads(done.stdout.splitlines()[-1])
        each = found["seconds"] / count
        base = base or each / found["control"]
        relative = each / found["control"] / base
        cells = f"{found['seconds']:,.1f} | {each * 1e6:,.0f} | {found['control'] * 1e6:,.0f} | {relative:.2f}"
        cells += f" | {found['tokens'] / count:,.1f}"
        memory = f"{found['before']:,.0f} | {found['peak']:,.0f} | {found['peak anonymous']:,.0f}"
        line = f"| {count:,} | {cells} | {memory} |"
        print(line, flush=True)
        yield line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--model", required=True, help="A model folder or name, or an exported folder.")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--texts", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--words", type=int, nargs=2, default=[3, 9], help="Of a text, at least and at most.")
    parser.add_argument("--rows", type=int, default=4_096, help="Of a shard.")
    parser.add_argument("--control", type=int, default=300, help="Texts of the control.")
    parser.add_argument("--folder", type=Path, help="Where there is room; by default the system's temporary folder.")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        count, folder = given.worker
        print(json.dumps(work(given, int(count), Path(folder))))
        return
    heads = "texts | CPU s | µs a text | µs of the control | their ratio to the first | tokens a text | MB before"
    lines = [f"| {heads} | peak MB | of which not of files |", "|" + "---:|" * 9, *measured(given, given.texts)]
    notes = (
        f"`encode_stream` of synthetic texts, no two alike, into Parquet shards of {given.rows:,}, each number in a "
        "process of its own. `CPU s` are processor seconds of all threads, behind a first shard of 256 texts; `MB "
        "before` is what the process holds then, `peak MB` its largest resident set from there on. The machine is "
        f"shared, and a processor second does less when others use it: the control, the same {given.control} texts "
        "encoded before each shard, says how much, and the ratio is that of the time of a text to the time of a text "
        "of the control."
    )
    said = {"texts": given.texts, "words": given.words, "rows": [given.rows], "control": [given.control]}
    arguments = [f"--model {Path(given.model).name}", f"--precision {given.precision}"]
    arguments += [f"--{name} " + " ".join(map(str, values)) for name, values in said.items()]
    interleaved.write_up(
        "Growth of encoding", "benchmarks.encode_growth", arguments, notes, "\n".join(lines), given.output
    )


if __name__ == "__main__":
    main()
