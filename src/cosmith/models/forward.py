"""From token ids to the backbone's token states: without padding where the family is known, else as a padded batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.models import variable_length
from cosmith.models.static import StaticEmbedding


@dataclass(frozen=True)
class TokenStates:
    """The states of some texts' tokens, text after text.

    Attributes:
        states: ``[tokens, hidden]``.
        lengths: Tokens of each text, ``[n]``, each at least 1.
        text: The number of each token's text, ``[tokens]``, ascending.
    """

    states: torch.Tensor
    lengths: torch.Tensor
    text: torch.Tensor


def run(
    backbone: Any,
    tokens: RaggedTokens,
    tokenizer: Any,
    *,
    flat: bool,
    types: np.ndarray | None = None,
    seen: np.ndarray | None = None,
) -> TokenStates:
    """One forward.

    Args:
        backbone: A transformers model.
        tokens: The texts, at least one.
        tokenizer: Says how to fill up a padded batch.
        flat: Whether the backbone runs on texts without padding.
        types: int64 ``[tokens]``, the segment of each token, for backbones that tell segments apart; None: all one.
        seen: int64 ``[n]``, how many of each text's first tokens are attended to; those behind see them, but are not
            seen. None: all.

    Raises:
        InputError: When the backbone is a static one.
    """
    if isinstance(backbone, StaticEmbedding):
        raise InputError("a static model has no states of tokens in their context", field="encoder",
                         remedy="Use a transformer.")  # fmt: skip
    return _run_flat(backbone, tokens, types, seen) if flat else _run_padded(backbone, tokens, tokenizer, types, seen)


def _run_flat(backbone: Any, tokens: RaggedTokens, types: np.ndarray | None, seen: np.ndarray | None) -> TokenStates:
    """One forward on the texts as they are, one after the other; see :mod:`cosmith.models.variable_length`."""
    layout = variable_length.FlatLayout.of(tokens.lengths, backbone.device, seen)
    ids = torch.from_numpy(tokens.values.astype(np.int64)).to(backbone.device)
    arguments = variable_length.flat_arguments(backbone.config, ids, layout)
    if types is not None:
        arguments["token_type_ids"] = torch.from_numpy(types).to(backbone.device)[None]
    return TokenStates(backbone(**arguments).last_hidden_state[0], layout.lengths, layout.text)


def _run_padded(
    backbone: Any, tokens: RaggedTokens, tokenizer: Any, types: np.ndarray | None, seen: np.ndarray | None
) -> TokenStates:
    """One forward on a rectangle."""
    arguments, mask = padded_arguments(tokens, tokenizer, backbone.device, types)
    if seen is not None:
        keys = torch.from_numpy(seen.astype(np.int64)).to(mask.device)
        arguments["attention_mask"] = (torch.arange(mask.shape[1], device=mask.device) < keys[:, None]).long()
    states = backbone(**arguments).last_hidden_state
    text = torch.arange(len(mask), device=mask.device)[:, None].expand_as(mask)[mask]
    return TokenStates(states[mask], mask.sum(1), text)


def padded_arguments(
    tokens: RaggedTokens, tokenizer: Any, device: torch.device, types: np.ndarray | None = None
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """The arguments with which a transformers model runs on a rectangle, filled up with the tokenizer's padding.

    Padding goes behind the texts whatever the tokenizer's side: before them, it would shift the positions of backbones
    that count them from the first column (GPT-2).

    Args:
        tokens: The texts.
        tokenizer: Says what to fill up with.
        device: Where.
        types: As in :func:`run`.

    Returns:
        Keyword arguments, and which cells hold a token: bool ``[n, longest]``.
    """
    lengths = torch.from_numpy(tokens.lengths.astype(np.int64)).to(device)
    mask = torch.arange(int(lengths.max()), device=device) < lengths[:, None]
    padding = 0 if tokenizer.pad_token_id is None else tokenizer.pad_token_id  # any will do: the mask hides it
    ids = torch.full(mask.shape, padding, device=device)
    ids[mask] = torch.from_numpy(tokens.values.astype(np.int64)).to(device)
    arguments = {"input_ids": ids, "attention_mask": mask.long()}
    if types is not None:
        arguments["token_type_ids"] = torch.zeros_like(ids)
        arguments["token_type_ids"][mask] = torch.from_numpy(types).to(device)
    return arguments, mask
