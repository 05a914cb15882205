"""What the training doctor costs: the share of a run's processor time that goes into watching it.

python -m benchmarks.doctor_overhead --pairs 3200

Two runs with and without it would differ by more than the doctor costs, from noise alone. So one run is made, and the
time is taken around everything that the doctor does in it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import interleaved
from benchmarks.pairs import read_pairs, write_pairs

MODEL = "all-MiniLM-L6-v2"


def timed(spent: dict[str, float], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, adding the processor time of its calls to ``spent``."""

    def wrapper(*arguments: Any, **options: Any) -> Any:
        started = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            spent[name] = spent.get(name, 0.0) + time.process_time() - started

    return wrapper


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3200)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()

    from cosmith import Encoder, Source, TrainingRow, TrainingSettings, train
    from cosmith.training import contrastive, loop
    from cosmith.training.health import Before

    spent: dict[str, float] = {}
    contrastive.look_at_embeddings = timed(spent, "embeddings and scores", contrastive.look_at_embeddings)
    loop.take_snapshot = timed(spent, "snapshots of the probe", loop.take_snapshot)
    Before.of = timed(spent, "gradients and updates", Before.of)  # type: ignore[method-assign]
    Before.figures = timed(spent, "gradients and updates", Before.figures)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        write_pairs(Path(folder) / "pairs.jsonl", given.pairs)
        rows = [TrainingRow(query, (document,)) for query, document in read_pairs(Path(folder) / "pairs.jsonl")]
        source, encoder = Source.from_rows("pairs", rows), Encoder.load(MODEL)
        settings = TrainingSettings(batch_size=given.batch, max_document_length=128, checkpoint_every_seconds=None)
        started = time.process_time()
        train(encoder, [source], settings, folder=Path(folder) / "run")
        whole = time.process_time() - started
    lines = ["| | processor seconds | share of the run |", "|---|---|---|"]
    for name, seconds in [*sorted(spent.items()), ("together", sum(spent.values())), ("the run", whole)]:
        lines.append(f"| {name} | {seconds:.2f} | {seconds / whole:.2%} |")
    notes = (
        f"{MODEL}, {given.pairs:,} pairs (docstring sentence → function body, at most 128 tokens), one pass at batch "
        f"{given.batch}, bf16 where the processor has it; a look every 10 steps, about ten snapshots of 32 texts."
    )
    arguments = [f"--pairs {given.pairs} --batch {given.batch}"]
    interleaved.write_up(
        "What the doctor costs", "benchmarks.doctor_overhead", arguments, notes, "\n".join(lines), given.output
    )


if __name__ == "__main__":
    main()
