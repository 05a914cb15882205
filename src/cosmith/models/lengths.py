"""How many tokens a backbone reads at once."""

from __future__ import annotations

from typing import Any

UNLIMITED = 2**31 - 1
"""Tokens of a text, for models that read them all."""


def longest_input(config: Any, declared: int | None) -> int:
    """The most tokens that are read, special tokens included.

    Args:
        config: The backbone's configuration, which has the last word: there are no positions beyond its.
        declared: What the model's folder or tokenizer says (a tokenizer that knows no limit says a huge number).
    """
    own = int(getattr(config, "max_position_embeddings", 512))
    if config.model_type in ("roberta", "xlm-roberta"):  # positions begin after the padding token's id
        own -= config.pad_token_id + 1
    return own if declared is None else min(int(declared), own)
