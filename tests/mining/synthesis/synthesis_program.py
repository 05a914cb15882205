"""A synthesis to be killed: run by test_resume.py as ``python synthesis_program.py URL CACHE OUTPUT``."""

from __future__ import annotations

import sys

import numpy as np

from cosmith.mining.synthesis import Endpoint, Passage, SynthesisSettings, synthesise, write_synthetic_rows

PASSAGES = [
    Passage(str(number), f"Chapter {number} describes turbines with {number * 7} blades.") for number in range(20)
]


class SameEverywhere:
    """An encoder for which all texts are alike."""

    dimension, max_length = 2, 100

    def encode(self, texts: list[str], **options: object) -> np.ndarray:
        return np.tile(np.float32([1, 0]), (len(texts), 1))

    def fingerprint(self) -> str:
        return "same"


if __name__ == "__main__":
    url, cache, output = sys.argv[1:]
    endpoint = Endpoint(url, "stand-in", concurrency=3, first_wait=0.01)
    made = synthesise(PASSAGES, endpoint, SynthesisSettings(each=2), cache=cache, encoder=SameEverywhere())
    write_synthetic_rows(output, made.rows)
