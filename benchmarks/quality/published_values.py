"""all-MiniLM-L6-v2 on SciFact, STSBenchmark and Banking77: what MTEB publishes, and what Cosmith measures.

python -m benchmarks.quality.published_values --data ../shared/data
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import interleaved
from cosmith import Encoder
from cosmith.evaluation.task_files import read_task

# nDCG@10 with texts cut at 256 tokens; Spearman on the test split; the mean accuracy of ten draws.
PUBLISHED = {"SciFact": ("scifact", 0.6451), "STSBenchmark, test": ("stsb", 0.8203), "Banking77": ("banking77", 0.8004)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with scifact, stsb and banking77")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    encoder = Encoder.load("all-MiniLM-L6-v2", precision=given.precision)
    lines = ["| | published | measured, 95 % interval |", "|---|---|---|"]
    for name, (folder, published) in PUBLISHED.items():
        scores = read_task(given.data / folder).task.evaluate(encoder)
        interval = scores.intervals[scores.main]
        lines.append(f"| {name}, {scores.main} | {published:.4f} | {scores.value:.4f} {interval} |")
    notes = (
        f"all-MiniLM-L6-v2 in {given.precision}, without prompts, at most 256 tokens; intervals over queries, pairs or"
        " texts."
    )
    command = [f"--data {given.data.name} --precision {given.precision}"]
    module = "benchmarks.quality.published_values"
    interleaved.write_up("Published values", module, command, notes, "\n".join(lines), given.output)


if __name__ == "__main__":
    main()
