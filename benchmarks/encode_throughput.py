"""Encoding: Cosmith against sentence-transformers, all-MiniLM-L6-v2, natural-length texts.

python -m benchmarks.encode_throughput --texts 4000 --rounds 5
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import interleaved
from benchmarks.pairs import read_pairs, write_pairs

CONTEST = interleaved.Contest(
    module="benchmarks.encode_throughput",
    contestants=(
        "cosmith bf16",
        "cosmith float32",
        "sentence-transformers default",
        "sentence-transformers bf16",
        "sentence-transformers bf16-weights",
    ),
    figures={"texts per CPU second": True, "texts per second": True, "peak MB": False},
)


def work(contestant: str, texts: list[str]) -> dict[str, float]:
    """Encode once after a warm-up on other texts of the same kind; a sample of the vectors is compared with those of
    sentence-transformers in float32."""
    encode = encoder_of(contestant)
    encode(texts[:64])
    wall, cpu = time.perf_counter(), time.process_time()
    vectors = encode(texts[64:])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = interleaved.peak_megabytes()
    count = len(texts) - 64
    assert vectors.shape == (count, 384)
    reference = encoder_of("sentence-transformers default")(texts[64:128])
    cosines = (vectors[:64].astype(np.float32) * reference).sum(1)
    assert cosines.min() > 0.99, f"{contestant} gives other vectors: cosine {cosines.min():.4f}"
    return {"texts per CPU second": count / cpu, "texts per second": count / wall, "peak MB": peak}


def encoder_of(contestant: str) -> Callable[[list[str]], np.ndarray]:
    """Texts → unit vectors, by a library in a precision; ``bf16`` is autocast in both."""
    import torch

    from cosmith.models import find_model

    library, precision = contestant.split(" ", 1)
    if library == "cosmith":
        from cosmith.models import Encoder

        return Encoder.load("all-MiniLM-L6-v2", precision=precision).encode  # type: ignore[arg-type]
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(find_model("all-MiniLM-L6-v2")), device="cpu")
    if precision == "bf16-weights":
        model = model.to(torch.bfloat16)

    def encode(batch: list[str]) -> np.ndarray:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            return model.encode(batch, show_progress_bar=False, convert_to_tensor=True).float().numpy()

    return encode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--texts", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--pairs", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        texts = [text for pair in read_pairs(given.pairs) for text in pair][: given.texts + 64]
        print(json.dumps(work(given.worker, texts)))
        return
    with tempfile.TemporaryDirectory() as folder:
        pairs = Path(folder) / "pairs.jsonl"
        write_pairs(pairs, given.texts // 2 + 32)
        results = interleaved.run(
            CONTEST, ["--pairs", str(pairs), "--texts", str(given.texts)], given.rounds, given.threads
        )
    arguments = [f"--texts {given.texts} --rounds {given.rounds} --threads {given.threads}"]
    notes = (
        f"{given.texts:,} texts (docstring sentences and function bodies), all-MiniLM-L6-v2, at most 256 tokens, "
        f"{given.threads} thread(s). sentence-transformers at its defaults (batch 32, sorted by length)."
    )
    interleaved.write_up(
        "Encoding throughput", CONTEST.module, arguments, notes, interleaved.table(CONTEST, results), given.output
    )


if __name__ == "__main__":
    main()
