"""The general check set that comes with the package: what a fine-tune on one domain may have made a model forget."""

from __future__ import annotations

from pathlib import Path

from cosmith.data.collection import Collection

GENERAL_CHECK_FOLDER = Path(__file__).parent / "general_check"
"""A BEIR folder; its README says what the set is and is not."""


def general_check_collection() -> Collection:
    """320 passages on 64 everyday topics and a question for each, in English; a smoke test, no benchmark."""
    return Collection.read_beir(GENERAL_CHECK_FOLDER, name="general-check")
