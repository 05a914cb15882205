"""What a model's vectors depend on: as one hash, and part by part."""

from __future__ import annotations

from typing import Any

import torch
import xxhash

from cosmith.models.backbone import described
from cosmith.models.fingerprint_parts import spec_parts
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


def parts_of(module: torch.nn.Module, config: Any, tokenizer: TextTokenizer, spec: ModelSpec) -> dict[str, str]:
    """The same part by part, see :class:`~cosmith.models.fingerprint_parts.EmbeddingFingerprint`.

    Args:
        module, config, tokenizer, spec: As of :func:`fingerprint_of`.
    """
    weights = xxhash.xxh3_128()
    add_weights(weights, module)
    return {
        "weights": weights.hexdigest(),
        "architecture": xxhash.xxh3_128_hexdigest(repr(described(config)).encode()),
        "tokenizer": tokenizer.fingerprint(),
        "runtime": "torch",
        **spec_parts(spec),
    }


def add_weights(digest: xxhash.xxh3_128, module: torch.nn.Module) -> None:
    """Let a hash depend on a module's weights and their names."""
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy())
