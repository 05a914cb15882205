"""all-MiniLM-L6-v2 on SciFact and STSBenchmark: what MTEB publishes, and what Cosmith measures.

python -m benchmarks.quality.published_values --data ../shared/data
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import interleaved
from cosmith import Collection, Encoder, evaluate_retrieval
from cosmith.data import read_sts
from cosmith.evaluation import evaluate_sts

SCIFACT, STS = 0.645, 0.8203  # nDCG@10 with texts cut at 256 tokens; Spearman on the test split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with scifact and stsb")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    encoder = Encoder.load("all-MiniLM-L6-v2", precision=given.precision)
    retrieval = evaluate_retrieval(encoder, Collection.read_beir(given.data / "scifact", "test"))
    sts = evaluate_sts(encoder, read_sts(given.data / "stsb" / "test.tsv"), name="STSBenchmark")
    lines = ["| | published | measured, 95 % interval |", "|---|---|---|"]
    for name, scores, published in (("SciFact", retrieval, SCIFACT), ("STSBenchmark, test", sts, STS)):
        interval = scores.intervals[scores.main]
        lines.append(f"| {name}, {scores.main} | {published:.4g} | {scores.value:.4f} {interval} |")
    notes = (
        f"all-MiniLM-L6-v2 in {given.precision}, without prompts, at most 256 tokens; intervals over queries or pairs."
    )
    command = [f"--data {given.data.name} --precision {given.precision}"]
    module = "benchmarks.quality.published_values"
    interleaved.write_up("Published values", module, command, notes, "\n".join(lines), given.output)


if __name__ == "__main__":
    main()
