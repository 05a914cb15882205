"""Growth: encoding a stream of more and more texts; time and memory.

python -m benchmarks.encode_growth --model FOLDER --texts 1000 10000 100000
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from benchmarks import interleaved
from benchmarks.read_memory import Watch, status_of


def texts(count: int, words: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """Synthetic texts with an id each, of so many words at least and at most, no two alike."""
    random = Random(0)
    known = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randint(2, 6))) for _ in range(5000)]
    for number in range(count):
        yield str(number), f"{number} " + " ".join(random.choices(known, k=random.randint(*words)))


def work(model: str, precision: str, count: int, words: tuple[int, int], folder: Path) -> dict[str, float]:
    """Encode in this process, after a first shard that is not counted: processor seconds and memory in MB."""
    from cosmith.models import load_encoder
    from cosmith.retrieval import encode_stream

    encoder = load_encoder(model, precision=precision)
    encode_stream(encoder, texts(256, words), folder / "few")  # what is imported and set up once
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = status_of("VmRSS"), time.process_time()
    with Watch() as anonymous:
        found = encode_stream(encoder, texts(count, words), folder / "all")
    assert found.texts == count
    seconds, peak = time.process_time() - began, status_of("VmHWM")
    return {"seconds": seconds, "tokens": found.tokens or 0, "before": before, "peak": peak,
            "peak anonymous": max(anonymous)}  # fmt: skip


def measured(given: argparse.Namespace, counts: Sequence[int]) -> Iterator[str]:
    """A line of the table for each number of texts, each in a process of its own."""
    base: float | None = None
    for count in counts:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            command = [sys.executable, "-m", "benchmarks.encode_growth", "--worker", str(count), folder,
                       "--model", given.model, "--precision", given.precision,
                       "--words", *map(str, given.words)]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{count} texts failed:\n{done.stderr[-4000:]}")
            found = json.loads(done.stdout.splitlines()[-1])
        each = found["seconds"] / count * 1e6
        base = base or each
        cells = f"{found['seconds']:,.1f} | {each:,.0f} | {each / base:.2f} | {found['tokens'] / count:,.1f}"
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
    parser.add_argument("--folder", type=Path, help="Where there is room; by default the system's temporary folder.")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    words = (given.words[0], given.words[1])
    if given.worker:
        count, folder = given.worker
        print(json.dumps(work(given.model, given.precision, int(count), words, Path(folder))))
        return
    heads = "texts | CPU s | µs a text | to the first | tokens a text | MB before | peak MB | of which not of files"
    lines = [f"| {heads} |", "|" + "---:|" * 8, *measured(given, given.texts)]
    notes = (
        "`encode_stream` of synthetic texts, no two alike, into Parquet shards of 32,768, each number in a process of "
        "its own. `CPU s` are processor seconds of all threads, behind a first shard of 256 texts; `MB before` is what "
        "the process holds then, `peak MB` its largest resident set from there on."
    )
    arguments = [f"--model {Path(given.model).name}", f"--precision {given.precision}",
                 "--texts " + " ".join(map(str, given.texts)), "--words " + " ".join(map(str, words))]  # fmt: skip
    interleaved.write_up(
        "Growth of encoding", "benchmarks.encode_growth", arguments, notes, "\n".join(lines), given.output
    )


if __name__ == "__main__":
    main()
