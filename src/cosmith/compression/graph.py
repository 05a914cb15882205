"""An encoder as one ONNX graph: backbone, pooling, projections, and normalisation where the model has it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from cosmith.errors import InputError
from cosmith.models import Encoder, Pooling
from cosmith.models.adapters import merge_adapter

_OPSET = 18
_LARGEST = 2 * 10**9  # bytes in one ONNX file, which is a Protocol Buffers message


class SentenceGraph(torch.nn.Module):
    """What a graph computes: token ids and their mask, int64 ``[texts, tokens]``, padding behind → vectors
    as the model's modules leave them.

    The backbone's own attention is used, not the one without padding: a graph has one shape for all texts of a batch.

    Args:
        encoder: A whole one (:func:`whole`), which is changed.
        half: Keep the backbone's weights, and compute with them, in float16; pooling and what follows in float32.
    """

    def __init__(self, encoder: Encoder, *, half: bool = False) -> None:
        super().__init__()
        self.static, self.pooling, self.head = encoder.is_static, encoder.spec.pooling, encoder.spec.head
        backbone: Any = encoder.module["backbone"]
        if half:
            backbone.half()
        if not self.static:
            backbone.set_attn_implementation("eager")
        self.backbone, self.latent = backbone, dict(encoder.module.items()).get("latent_attention")
        self.dense: Any = encoder.module["dense"]
        self.eval()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The token states ``[texts, tokens, hidden]``, of a transformer, and the vectors ``[texts, dimension]``."""
        if self.static:
            states = self.backbone.embedding(input_ids)
        else:
            states = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if states.dtype != torch.float32:  # a cast that changes nothing would stand in the graph
            states = states.float()
        seen = states
        if self.latent is not None:
            seen = self.latent(states.flatten(0, 1)).reshape(states.shape)
        vectors = pool_rectangle(seen, attention_mask, self.pooling)
        dense = iter(self.dense)
        for part in self.head:
            vectors = _unit(vectors) if isinstance(part, str) else next(dense)(vectors)
        return (vectors,) if self.static else (states, vectors)


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)


def pool_rectangle(states: torch.Tensor, mask: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """:func:`cosmith.models.pool` for texts that are filled up behind, in operations that a graph can have.

    Args:
        states: float32 ``[texts, tokens, width]``.
        mask: 1 where there is a token, int64 ``[texts, tokens]``; a text without any gets the vector 0.
        pooling: How.

    Returns:
        ``[texts, width]``.
    """
    if pooling == "cls":
        return states[:, 0]
    there = mask.unsqueeze(-1).to(states.dtype)
    if pooling == "max":
        return (states - (1 - there) * torch.finfo(states.dtype).max).amax(1)
    lengths = there.sum(1)
    places = mask.cumsum(1).unsqueeze(-1).to(states.dtype)
    if pooling == "last_token":
        return (states * there * (places == lengths.unsqueeze(1))).sum(1)
    if pooling == "weighted_mean":
        weights = places * there
        return (states * weights).sum(1) / weights.sum(1).clamp(min=1)
    divisor = lengths.clamp(min=1)
    return (states * there).sum(1) / (divisor.sqrt() if pooling == "mean_sqrt_len" else divisor)


def whole(encoder: Encoder) -> Encoder:
    """A copy of an encoder that computes in float32 on the processor, an adapter merged into its weights.

    Raises:
        InputError: When no graph can be made of it.
    """
    if not encoder.spec.include_prompt and encoder.prompts:
        raise InputError("leaves its prompts out of the pooling, which an exported graph cannot do", field="model",
                         remedy="Export a model that pools them (include_prompt).")  # fmt: skip
    copy = encoder.copy().to("cpu")
    copy.precision = "float32"
    merge_adapter(copy.module["backbone"])
    copy.module.eval()
    return copy


def write_graph(encoder: Encoder, path: Path, *, half: bool = False) -> None:
    """Write an encoder as an ONNX graph with any number of texts of any length.

    Args:
        encoder: A whole one.
        path: Where.
        half: As of :class:`SentenceGraph`.

    Raises:
        InputError: When it is too large for one file, or torch cannot express it in ONNX.
    """
    size = sum(weight.numel() for weight in encoder.module.parameters()) * (2 if half else 4)
    if size > _LARGEST:
        raise InputError(
            f"takes {size / 1e9:.1f} GB, and an ONNX file holds 2 GB at most", field="model",
            remedy="Export it as float16, or a smaller model.",
        )  # fmt: skip
    graph = SentenceGraph(encoder.copy(), half=half)
    ids = torch.ones(2, 7, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    shape = {0: "texts", 1: "tokens"}
    outputs = ["sentence_embedding"] if graph.static else ["last_hidden_state", "sentence_embedding"]
    axes = {"input_ids": shape, "attention_mask": shape, "last_hidden_state": shape, "sentence_embedding": {0: "texts"}}
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The tracing exporter: the one by torch.export needs another package, takes minutes where this takes
            # seconds (measured, torch 2.13), and does not say anything of the result that is not checked here.
            torch.onnx.export(
                graph, (ids, mask), str(path), dynamo=False, opset_version=_OPSET,
                input_names=["input_ids", "attention_mask"], output_names=outputs,
                dynamic_axes={name: axes[name] for name in ("input_ids", "attention_mask", *outputs)},
            )  # fmt: skip
    except (RuntimeError, TypeError, ValueError, torch.onnx.errors.OnnxExporterError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(f"cannot be written as an ONNX graph ({reason})", field="model",
                         remedy="Use it with torch.") from error  # fmt: skip
