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


def run(backbone: Any, tokens: RaggedTokens, tokenizer: Any, *, flat: bool) -> TokenStates:
    """One forward.

    Args:
        backbone: A transformers model.
        tokens: The texts, at least one.
        tokenizer: Says how to fill up a padded batch.
        flat: Whether the backbone runs on texts without padding.

    Raises:
        InputError: When the backbone is a static one.
    """
    if isinstance(backbone, StaticEmbedding):
        raise InputError("a static model has no states of tokens in their context", field="encoder",
                         remedy="Use a transformer.")  # fmt: skip
    return _run_flat(backbone, tokens) if flat else _run_padded(backbone, tokens, tokenizer)


def _run_flat(backbone: Any, tokens: RaggedTokens) -> TokenStates:
    """One forward on the texts as they are, one after the other; see :mod:`cosmith.models.variable_length`."""
    layout = variable_length.FlatLayout.of(tokens.lengths, backbone.device)
    ids = torch.from_numpy(tokens.values.astype(np.int64)).to(backbone.device)
    arguments = variable_length.flat_arguments(backbone.config, ids, layout)
    return TokenStates(backbone(**arguments).last_hidden_state[0], layout.lengths, layout.text)


def _run_padded(backbone: Any, tokens: RaggedTokens, tokenizer: Any) -> TokenStates:
    """One forward on a rectangle, filled up with the tokenizer's padding.

    Padding goes behind the texts whatever the tokenizer's side: before them, it would shift the positions of backbones
    that count them from the first column (GPT-2).
    """
    device = backbone.device
    lengths = torch.from_numpy(tokens.lengths.astype(np.int64)).to(device)
    longest = int(lengths.max())
    mask = torch.arange(longest, device=device) < lengths[:, None]
    padding = 0 if tokenizer.pad_token_id is None else tokenizer.pad_token_id  # any will do: the mask hides it
    ids = torch.full(mask.shape, padding, device=device)
    ids[mask] = torch.from_numpy(tokens.values.astype(np.int64)).to(device)
    states = backbone(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    text = torch.arange(len(lengths), device=device)[:, None].expand_as(mask)[mask]
    return TokenStates(states[mask], lengths, text)
