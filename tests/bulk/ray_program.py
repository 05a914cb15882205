"""Encoding on Ray, to be killed: run by test_ray.py as ``python ray_program.py FOLDER``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from cosmith.bulk import Engine
from cosmith.data.texts import TextTable
from cosmith.retrieval.streaming import write_vectors
from cosmith.retrieval.vectors import Encoding

TEXTS = [f"text {number}" for number in range(24)]


class Slow:
    """An encoder that takes a third of a second a shard."""

    dimension, max_length = 4, 100

    def encode(self, texts: list[str], **options: object) -> np.ndarray:
        time.sleep(0.3)
        return np.array([[len(each), ord(each[-1]), ord(each[-2]), 1] for each in texts], dtype=np.float32)

    def fingerprint(self) -> str:
        return "slow"


def encoding() -> Encoding:
    table, numbers = TextTable.from_texts(TEXTS)
    return Encoding(Slow(), table, numbers, "texts", rows=2)


if __name__ == "__main__":
    write_vectors(encoding(), TEXTS, Path(sys.argv[1]), Engine("ray", workers=2))
