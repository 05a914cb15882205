"""What the training doctor costs: the share of a run's processor time that goes into watching it.

python -m benchmarks.doctor_overhead --pairs 3200

Counted is the work of every step (the norm whose finiteness is asked, the line of metrics), of every look, and of every
snapshot of the probe's texts. The norm is what clipping needs anyway, so its row is an upper bound.

Two runs with and without it would differ by more than the doctor costs, from noise alone. So one run is made, and the
time is taken around everything that the doctor does in it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import interleaved
from benchmarks.pairs import read_pairs, write_pairs

MODEL = "all-MiniLM-L6-v2"


def timed(spent: dict[str, float], calls: Counter[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, adding the processor time of its calls to ``spent`` and their number to ``calls``."""

    def wrapper(*arguments: Any, **options: Any) -> Any:
        started = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            spent[name] = spent.get(name, 0.0) + time.process_time() - started
            calls[name] += 1

    return wrapper


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3200)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()

    from cosmith import Encoder, Source, TrainingRow, TrainingSettings, train
    from cosmith.training import contrastive, loop, optimisation
    from cosmith.training.health import Before
    from cosmith.training.journal import Journal

    spent: dict[str, float] = {}
    calls: Counter[str] = Counter()
    contrastive.look_at_embeddings = timed(spent, calls, "embeddings and scores", contrastive.look_at_embeddings)
    loop.take_snapshot = timed(spent, calls, "snapshots of the probe", loop.take_snapshot)
    Before.of = timed(spent, calls, "gradients and updates", Before.of)  # type: ignore[method-assign]
    Before.figures = timed(spent, calls, "gradients and updates", Before.figures)  # type: ignore[method-assign]
    optimisation.total_norm = timed(spent, calls, "norm of the gradient", optimisation.total_norm)
    Journal.write = timed(spent, calls, "writing of metrics", Journal.write)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        write_pairs(Path(folder) / "pairs.jsonl", given.pairs)
        rows = [TrainingRow(query, (document,)) for query, document in read_pairs(Path(folder) / "pairs.jsonl")]
        source, encoder = Source.from_rows("pairs", rows), Encoder.load(MODEL)
        settings = TrainingSettings(batch_size=given.batch, max_document_length=128, checkpoint_every_seconds=None)
        started = time.process_time()
        train(encoder, [source], settings, folder=Path(folder) / "run")
        whole = time.process_time() - started
    steps = calls["norm of the gradient"]  # each step asks for it once
    lines = ["| | calls | processor seconds | share of the run |", "|---|---|---|---|"]
    for name, seconds in [*sorted(spent.items()), ("together", sum(spent.values())), ("the run", whole)]:
        lines.append(f"| {name} | {calls.get(name, '')} | {seconds:.2f} | {seconds / whole:.2%} |")
    notes = (
        f"{MODEL}, {given.pairs:,} pairs (docstring sentence → function body, at most 128 tokens), one pass at batch "
        f"{given.batch}, bf16 where the processor has it: {steps} steps, a look at every tenth, and "
        f"{calls['snapshots of the probe']} snapshots of 32 texts (at most every 25 steps, so the share falls to about "
        f"half of that of a run of 25 steps). Clipping needs the norm anyway."
    )
    arguments = [f"--pairs {given.pairs} --batch {given.batch}"]
    interleaved.write_up(
        "What the doctor costs", "benchmarks.doctor_overhead", arguments, notes, "\n".join(lines), given.output
    )


if __name__ == "__main__":
    main()
