"""A hash over everything that a model's vectors depend on."""

from __future__ import annotations

from typing import Any

import torch
import xxhash

from cosmith.models.backbone import described
from cosmith.models.folder import ModelSpec
from cosmith.models.tokenization import TextTokenizer


def fingerprint_of(module: torch.nn.Module, config: Any, tokenizer: TextTokenizer, spec: ModelSpec) -> str:
    """The hash of a model.

    Args:
        module: Its weights.
        config: Of the backbone.
        tokenizer: How it reads.
        spec: Pooling, head, prompts, and the maximum length that is in force.
    """
    digest = xxhash.xxh3_128(tokenizer.fingerprint().encode())
    head = [part if isinstance(part, str) else (part.out_features, part.activation) for part in spec.head]
    said = (spec.pooling, head, sorted(spec.prompts.items()), spec.default_prompt, spec.max_length)
    digest.update(repr((said, described(config))).encode())
    latent = spec.latent_attention
    if latent is not None or not spec.include_prompt:
        digest.update(repr((latent and (latent.latents, latent.heads), spec.include_prompt)).encode())
    add_weights(digest, module)
    return digest.hexdigest()


def add_weights(digest: xxhash.xxh3_128, module: torch.nn.Module) -> None:
    """Let a hash depend on a module's weights and their names."""
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy())
