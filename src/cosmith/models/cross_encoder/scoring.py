"""From the tokens of pairs to one number each: a classifier's label, or a language model's words."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from cosmith.models.cross_encoder.folder import WordScore
from cosmith.models.cross_encoder.pairs import PairTokens
from cosmith.models.forward import TokenStates, padded_arguments, run


def classifier_scores(model: Any, pairs: PairTokens, tokenizer: Any, *, flat: bool) -> torch.Tensor:
    """The label of each pair.

    Heads that are known read the backbone's states of one token a pair, so that the backbone may run without padding;
    models with another head run as they are, padded.

    Args:
        model: A transformers model for sequence classification with one label.
        pairs: At least one.
        tokenizer: Says whether the model tells segments apart, and how to fill up a padded batch.
        flat: Whether the backbone runs on texts without padding.

    Returns:
        ``[len(pairs)]``.
    """
    types = pairs.segments if _tells_segments_apart(model.config, tokenizer) else None
    kind = model.config.model_type
    if hasattr(model, "score"):  # decoders
        states = run(model.base_model, pairs.tokens, tokenizer, flat=flat, types=types).states
        last = torch.from_numpy(_last_tokens(pairs, model.config.pad_token_id)).to(states.device)
        return _numbers(model.score(states[last]))
    if kind in ("bert", "roberta", "xlm-roberta"):
        first = _first(run(model.base_model, pairs.tokens, tokenizer, flat=flat, types=types))
        if kind == "bert":
            return _numbers(model.classifier(model.dropout(model.base_model.pooler(first))))
        return _numbers(model.classifier(first))
    arguments, _ = padded_arguments(pairs.tokens, tokenizer, model.device, types)
    return _numbers(model(**arguments).logits)


def word_scores(model: Any, pairs: PairTokens, tokenizer: Any, words: WordScore, *, flat: bool) -> torch.Tensor:
    """The score of each pair by the words that a language model would write next.

    Only the logits of the two words are computed where the head is a plain linear layer.

    Args:
        model: A transformers model for causal language modelling.
        pairs: At least one.
        tokenizer: Says how to fill up a padded batch.
        words: Which words.
        flat: Whether the backbone runs on texts without padding.

    Returns:
        ``[len(pairs)]``.
    """
    states = run(model.base_model, pairs.tokens, tokenizer, flat=flat)
    last = states.states[states.lengths.cumsum(0) - 1]
    wanted = [words.relevant] if words.other is None else [words.relevant, words.other]
    head = model.get_output_embeddings()
    bias = None if head.bias is None else head.bias[wanted]
    logits = torch.nn.functional.linear(last, head.weight[wanted], bias).float()
    cap = getattr(model.config, "final_logit_softcapping", None)  # Gemma 2
    if cap is not None:
        logits = cap * torch.tanh(logits / cap)
    return logits[:, 0] if words.other is None else logits[:, 0] - logits[:, 1]


def _tells_segments_apart(config: Any, tokenizer: Any) -> bool:
    return getattr(config, "type_vocab_size", 0) > 1 and "token_type_ids" in tokenizer.model_input_names


def _first(states: TokenStates) -> torch.Tensor:
    """The states of the pairs' first tokens as texts of one token, ``[n, 1, hidden]``."""
    return states.states[states.lengths.cumsum(0) - states.lengths][:, None]


def _last_tokens(pairs: PairTokens, padding: int | None) -> np.ndarray:
    """Where each pair's last token stands that is no padding: a closing token may be the padding token as well, and
    transformers then takes the one before it."""
    offsets, values = pairs.tokens.offsets, pairs.tokens.values
    places = np.where(values != (-1 if padding is None else padding), np.arange(len(values)), -1)
    last = np.maximum.reduceat(places, offsets[:-1])
    return np.where(last < 0, offsets[:-1], last)


def _numbers(logits: torch.Tensor) -> torch.Tensor:
    return logits.reshape(len(logits))
