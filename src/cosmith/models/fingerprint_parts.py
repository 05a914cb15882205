"""What vectors depend on, part by part, so that a refusal to mix them can say which part is another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import xxhash

from cosmith.phrases import one_line

if TYPE_CHECKING:
    from cosmith.models.folder import ModelSpec
    from cosmith.models.protocol import TextEncoder

_HASHED = ("weights", "architecture", "tokenizer", "graph", "model")
"""Parts whose values tell people nothing."""

_USE = ("prompt", "instruction", "dimensions", "precision", "kept as")
"""Parts that say how a model was used: those of queries may be others than those of documents."""

_SHOWN = 60  # characters of a value


@dataclass(frozen=True)
class EmbeddingFingerprint:
    """What vectors depend on.

    Attributes:
        parts: Name → value, e.g. ``{"weights": "9f2c…", "pooling": "mean", "maximum length": "256"}``.
    """

    parts: Mapping[str, str]

    @cached_property
    def hash(self) -> str:
        """One hash over all parts."""
        said = json.dumps(sorted(self.parts.items()), ensure_ascii=True)
        return xxhash.xxh3_128_hexdigest(said.encode())

    def extended(self, more: Mapping[str, str]) -> EmbeddingFingerprint:
        """With more parts, or other values of some."""
        return EmbeddingFingerprint({**self.parts, **more})

    def of_model(self) -> EmbeddingFingerprint:
        """Without the parts that say how the model was used."""
        return EmbeddingFingerprint({name: value for name, value in self.parts.items() if name not in _USE})

    def differences(self, here: EmbeddingFingerprint) -> list[str]:
        """In words, where another one differs: ``["maximum length 256 there, 128 here", "other weights"]``."""
        names = [*self.parts, *(name for name in here.parts if name not in self.parts)]
        differing = [name for name in names if self.parts.get(name) != here.parts.get(name)]
        readable = [
            f"{name} {_shown(self.parts.get(name))} there, {_shown(here.parts.get(name))} here"
            for name in differing
            if name not in _HASHED
        ]
        return readable + [f"another {name}" if name != "weights" else "other weights"
                           for name in differing if name in _HASHED]  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """As artefacts hold it: ``{"hash": …, "parts": {…}}``."""
        return {"hash": self.hash, "parts": dict(self.parts)}

    @classmethod
    def from_json(cls, value: object) -> EmbeddingFingerprint | None:
        """Of what :meth:`as_json` gave; None where there is none: artefacts of earlier releases have none."""
        parts = value.get("parts") if isinstance(value, dict) else None
        if not isinstance(parts, dict) or not all(isinstance(each, str) for pair in parts.items() for each in pair):
            return None
        return cls(parts)


def embedding_fingerprint(encoder: TextEncoder) -> EmbeddingFingerprint:
    """The fingerprint of a model, part by part where it tells them (``fingerprint_parts``), else its one hash."""
    told = getattr(encoder, "fingerprint_parts", None)
    return EmbeddingFingerprint(told() if told is not None else {"model": encoder.fingerprint()})


def vectors_fingerprint(
    encoder: TextEncoder, *, prompt: str | None, instruction: str, dim: int | None, form: str = "float32"
) -> EmbeddingFingerprint:
    """The fingerprint of vectors: the model's parts, and how it was used.

    Args:
        encoder: The model.
        prompt, instruction, dim: As of :meth:`cosmith.models.TextEncoder.encode`.
        form: As what the vectors are kept: ``float32``, ``float16``, or the name of a compressed form.
    """
    asked = {"prompt": prompt, "instruction": instruction or None}
    used = {"dimensions": str(dim or encoder.dimension), "precision": computed_in(encoder), "kept as": form}
    said = {name: text for name, text in asked.items() if text is not None}
    return embedding_fingerprint(encoder).extended(said | used)


def spec_parts(spec: ModelSpec) -> dict[str, str]:
    """The parts that a model's folder says in words: pooling, head, normalisation, prompts, maximum length.

    Of a model that does not normalise, `encode` does; evaluation, and indexes by the inner product, take what it gives.
    """
    pooling, latent = str(spec.pooling), spec.latent_attention
    if latent is not None:
        pooling += f" of {latent.latents} latents, {latent.heads} heads"
    if not spec.include_prompt:
        pooling += " without the prompt"
    dense = [part for part in spec.head if not isinstance(part, str)]
    head = [f"{part.in_features} to {part.out_features} {part.activation.rpartition('.')[2]}" for part in dense]
    return {
        "pooling": pooling,
        "projection": ", ".join(head) or "none",
        "normalisation": "unit length" if spec.normalises else "none",
        "prompts": json.dumps(dict(sorted(spec.prompts.items())), ensure_ascii=False),
        "maximum length": "none" if spec.max_length is None else str(spec.max_length),
    } | ({} if spec.default_prompt is None else {"default prompt": spec.default_prompt})


def computed_in(encoder: object) -> str:
    """In what numbers a model computes, as it is on this machine: ``bf16`` or ``float32`` where it says ``auto``."""
    model: Any = encoder
    precision = str(getattr(model, "precision", ""))
    if precision != "auto":
        return precision
    from cosmith.models.precision import resolve_precision

    return resolve_precision("auto", model.device)


def _shown(value: str | None) -> str:
    return "none" if value is None else one_line(value, _SHOWN)
