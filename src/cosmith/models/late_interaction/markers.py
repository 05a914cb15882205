"""Marker tokens: the first token of a text says whether it is a query or a document (ColBERT, arXiv:2004.12832)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

UNUSED: Mapping[str, str] = {"query": "[unused0] ", "document": "[unused1] "}
"""The prompts of ColBERT: tokens that BERT's vocabulary has to spare."""


def unused_markers(tokenizer: Any) -> dict[str, str]:
    """The prompts that mark queries and documents with tokens that the vocabulary has to spare, if it has."""
    vocabulary = tokenizer.get_vocab()
    return dict(UNUSED) if all(marker.strip() in vocabulary for marker in UNUSED.values()) else {}


def register_markers(tokenizer: Any, prompts: Iterable[str]) -> None:
    """Let the tokenizer read the markers at the beginning of prompts as the one token that they are.

    A prompt whose beginning is no token of the vocabulary is left to be read as text: nothing is added.

    Args:
        tokenizer: A transformers tokenizer; it is changed.
        prompts: Their texts. The whole prompt may be a token (PyLate's ``"[Q] "``), or what stands before its first
            space.
    """
    from tokenizers import AddedToken

    known = tokenizer.get_vocab()
    wanted = []
    for prompt in prompts:
        marker = next((part for part in (prompt, *prompt.split(maxsplit=1)[:1]) if part in known), None)
        if marker is not None and tokenizer.tokenize(marker) != [marker]:
            wanted.append(AddedToken(marker, normalized=False, special=True))
    if wanted:
        tokenizer.add_tokens(wanted, special_tokens=True)
