"""Running a transformer on concatenated texts: no padding in the linear layers, little in the attention.

The texts of a micro-batch stand one after the other in a flat ``[1, tokens, hidden]`` tensor. Linear layers, norms
and activations work on real tokens only. Attention runs on groups of a few texts of similar length (texts arrive
sorted, so a group is nearly rectangular) with a key mask, soft-max in float32. On CPUs this is faster than one call
per text (too many small kernels) and than one padded call (too many empty cells).

The model's code is untouched: the attention is registered with transformers' public ``AttentionInterface``, and the
layout of the flat tensor travels to it as a keyword argument of the model's forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

from cosmith.models.dropout import keep_mask
from cosmith.models.precision import at_least_float32

ATTENTION = "cosmith_variable_length"
TEXTS_PER_GROUP = 16
_LONG = 100  # tokens

# Families whose forward takes flat position ids and hands keyword arguments on to the attention function.
# The value says where position ids begin: the RoBERTa family begins after its padding token's id.
_FAMILIES = {
    "bert": "zero",
    "roberta": "after_padding",
    "xlm-roberta": "after_padding",
    "qwen2": "zero",
    "qwen3": "zero",
    "llama": "zero",
    "mistral": "zero",
    "gemma": "zero",
    "gemma3_text": "zero",
}
_ENCODERS = ("bert", "roberta", "xlm-roberta")


@dataclass(frozen=True)
class TextGroup:
    """A few neighbouring texts of a flat tensor and how they fill a rectangle ``[texts, longest]``.

    Attributes:
        start, stop: The flat positions of the group's tokens.
        texts, longest: The rectangle.
        source: Flat position (within the group) of every cell, 0 for empty ones, ``[texts * longest]``;
            ``None`` when all texts are equally long and the rectangle is a view.
        cells: The cells that hold a token, in flat order, ``[stop - start]``; ``None`` likewise.
        empty: ``[texts, 1, 1, longest]``, true where there is no key; ``None`` when every cell has one.
    """

    start: int
    stop: int
    texts: int
    longest: int
    source: torch.Tensor | None
    cells: torch.Tensor | None
    empty: torch.Tensor | None


@dataclass(frozen=True)
class FlatLayout:
    """Where each text stands in the flat tensor.

    Attributes:
        lengths: Tokens of each text ``[n]``.
        positions: Position of each token within its text ``[tokens]``.
        text: Number of each token's text ``[tokens]``.
        groups: The groups in which attention is computed.
    """

    lengths: torch.Tensor
    positions: torch.Tensor
    text: torch.Tensor
    groups: tuple[TextGroup, ...]

    @classmethod
    def of(cls, lengths: np.ndarray, device: torch.device, seen: np.ndarray | None = None) -> FlatLayout:
        """Lay out texts of these lengths (each at least 1), in this order; of each only its first ``seen`` tokens (at
        least 1; None: all) are attended to."""
        sizes = np.asarray(lengths, dtype=np.int64)
        keys = sizes if seen is None else np.asarray(seen, dtype=np.int64)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        text = np.repeat(np.arange(len(sizes)), sizes)
        positions = np.arange(offsets[-1]) - offsets[text]
        groups = tuple(
            _group(sizes[part], keys[part], int(offsets[part.start]), device)
            for part in (slice(first, first + TEXTS_PER_GROUP) for first in range(0, len(sizes), TEXTS_PER_GROUP))
        )
        return cls(
            torch.from_numpy(sizes).to(device),
            torch.from_numpy(positions).to(device),
            torch.from_numpy(text).to(device),
            groups,
        )


def _group(sizes: np.ndarray, keys: np.ndarray, start: int, device: torch.device) -> TextGroup:
    texts, longest, total = len(sizes), int(sizes.max()), int(sizes.sum())
    column = np.arange(longest)
    seen = column < keys[:, None]
    empty = None if seen.all() else torch.from_numpy(~seen).to(device)[:, None, None, :]
    if total == texts * longest:
        return TextGroup(start, start + total, texts, longest, None, None, empty)
    filled = column < sizes[:, None]
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    source = np.where(filled, first[:, None] + column, 0).reshape(-1)
    cells = np.flatnonzero(filled)
    return TextGroup(
        start,
        start + total,
        texts,
        longest,
        torch.from_numpy(source).to(device),
        torch.from_numpy(cells).to(device),
        empty,
    )


def supports(model_type: str) -> bool:
    """Whether this family of backbones is known (and tested) to run on flat tensors."""
    return model_type in _FAMILIES


def flat_arguments(config: Any, token_ids: torch.Tensor, layout: FlatLayout) -> dict[str, Any]:
    """The keyword arguments with which a backbone's forward runs on a flat tensor.

    Args:
        config: The backbone's config.
        token_ids: int64 ``[tokens]``.
        layout: Where each text stands.
    """
    begin = config.pad_token_id + 1 if _FAMILIES[config.model_type] == "after_padding" else 0
    arguments: dict[str, Any] = {
        "input_ids": token_ids[None],
        "position_ids": (layout.positions + begin)[None],
        "text_layout": layout,
        "use_cache": False,
    }
    if getattr(config, "type_vocab_size", 0):
        arguments["token_type_ids"] = torch.zeros_like(token_ids)[None]
    if config.model_type not in _ENCODERS:
        # A mask of four dimensions is taken as it is. Without one, a mask [tokens, tokens] would be made for nothing.
        arguments["attention_mask"] = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=token_ids.device)
    return arguments


def _to_rectangle(flat: torch.Tensor, group: TextGroup) -> torch.Tensor:
    """``[tokens, heads, d]`` of the whole micro-batch → ``[texts * heads, longest, d]`` of a group."""
    return _by_head(_cells(flat, group), group)


def _cells(flat: torch.Tensor, group: TextGroup) -> torch.Tensor:
    """``[tokens, heads, d]`` of the whole micro-batch → ``[texts, longest, heads, d]`` of a group."""
    part = flat[group.start : group.stop]
    if group.source is not None:
        part = part.index_select(0, group.source)
    return part.reshape(group.texts, group.longest, *flat.shape[1:])


def _gradient_to_rectangle(flat: torch.Tensor, group: TextGroup) -> torch.Tensor:
    """As ``_to_rectangle``, but with zeros in the empty cells, which receive no gradient."""
    part = flat[group.start : group.stop]
    if group.cells is not None:
        cells = flat.new_zeros(group.texts * group.longest, *flat.shape[1:])
        part = cells.index_copy_(0, group.cells, part)
    return _by_head(part.reshape(group.texts, group.longest, *flat.shape[1:]), group)


def _by_head(cells: torch.Tensor, group: TextGroup) -> torch.Tensor:
    """``[texts, longest, heads, d]`` → ``[texts * heads, longest, d]``."""
    return cells.transpose(1, 2).reshape(-1, group.longest, cells.shape[-1])


def _from_rectangle(rectangle: torch.Tensor, group: TextGroup) -> torch.Tensor:
    """``[texts * heads, longest, d]`` → the group's ``[tokens, heads, d]``."""
    width = rectangle.shape[-1]
    cells = rectangle.reshape(group.texts, -1, group.longest, width).transpose(1, 2)
    cells = cells.reshape(group.texts * group.longest, -1, width)
    return cells if group.cells is None else cells.index_select(0, group.cells)


def _blocked(group: TextGroup, causal: bool, window: int | None, device: torch.device) -> torch.Tensor | None:
    """Where a query must not attend to a key, bool ``[texts or 1, 1, longest or 1, longest]``; None: nowhere."""
    blocked = group.empty
    if causal or window is not None:
        position = torch.arange(group.longest, device=device)
        distance = position[:, None] - position[None, :]
        outside = distance < 0 if causal else torch.zeros_like(distance, dtype=torch.bool)
        if window is not None:
            outside = outside | (distance.abs() >= window)
        blocked = outside[None, None] if blocked is None else blocked | outside
        if window is not None:  # an empty cell far behind its text would see nothing: a soft-max that is no number
            blocked = blocked & (distance != 0)
    return blocked


def _bias(group: TextGroup, heads: int, causal: bool, window: int | None, like: torch.Tensor) -> torch.Tensor:
    """What to add to the scores: 0, or minus infinity where must not be attended to.

    Returns:
        ``[texts * heads, longest or 1, longest]``, or a single 0 where everything may be attended to.
    """
    blocked = _blocked(group, causal, window, like.device)
    if blocked is None:
        return like.new_zeros(1, 1, 1)
    bias = torch.zeros(blocked.shape, dtype=like.dtype, device=like.device).masked_fill_(blocked, -torch.inf)
    return bias.expand(group.texts, heads, -1, -1).reshape(group.texts * heads, *bias.shape[2:])


class _GroupedAttention(torch.autograd.Function):
    """Soft-max attention group by group, with its own backward: nothing is scattered with additions.

    Half-precision scores stay in half precision in memory; the soft-max kernel computes in float32.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        layout: FlatLayout,
        scaling: float,
        dropout: float,
        causal: bool,
        window: int | None,
    ) -> torch.Tensor:
        output = torch.empty_like(query, memory_format=torch.contiguous_format)
        remember = any(ctx.needs_input_grad[:3])
        saved: list[torch.Tensor] = []
        with torch.autocast(query.device.type, enabled=False):
            for group in layout.groups:
                q, k, v = (_to_rectangle(x, group) for x in (query, key, value))
                bias = _bias(group, query.shape[1], causal, window, q)
                weights = torch.baddbmm(bias, q, k.transpose(-1, -2), alpha=scaling).softmax(-1)
                dropped = weights * keep_mask(weights, dropout) if dropout else weights
                output[group.start : group.stop] = _from_rectangle(torch.bmm(dropped, v), group)
                if remember:
                    saved += [weights, dropped] if dropout else [weights]
        if remember:
            ctx.save_for_backward(query, key, value, output, *saved)
            ctx.layout, ctx.scaling, ctx.dropout = layout, scaling, dropout
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, output, *saved = ctx.saved_tensors
        results = tuple(torch.empty_like(x, memory_format=torch.contiguous_format) for x in (query, key, value))
        # Soft-max backward is w * (g - sum(w * g)), and the sum is the output times its gradient, row by row
        # (FlashAttention, arXiv:2205.14135, appendix B.2); it holds with dropout as well.
        totals = (at_least_float32(gradients[0]) * at_least_float32(output)).sum(-1, keepdim=True).to(query.dtype)
        stride = 2 if ctx.dropout else 1
        for number, group in enumerate(ctx.layout.groups):
            weights, dropped = saved[number * stride], saved[number * stride + stride - 1]
            q, k, v = (_to_rectangle(x, group) for x in (query, key, value))
            gradient = _gradient_to_rectangle(gradients[0], group)
            by_score = torch.bmm(gradient, v.transpose(-1, -2)).mul_(dropped)
            by_score.addcmul_(weights, _gradient_to_rectangle(totals, group), value=-1)
            parts = (
                torch.bmm(by_score, k).mul_(ctx.scaling),
                torch.bmm(by_score.transpose(-1, -2), q).mul_(ctx.scaling),
                torch.bmm(dropped.transpose(-1, -2), gradient),
            )
            for result, part in zip(results, parts, strict=True):
                result[group.start : group.stop] = _from_rectangle(part, group)
        return (*results, None, None, None, None, None)


def _fused_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layout: FlatLayout, scaling: float, causal: bool,
    window: int | None,
) -> torch.Tensor:  # fmt: skip
    """The same group by group in torch's fused kernel, which never holds the weights: for inference."""
    output = torch.empty_like(query, memory_format=torch.contiguous_format)
    with torch.autocast(query.device.type, enabled=False):
        for group in layout.groups:
            q, k, v = (_cells(x, group).transpose(1, 2) for x in (query, key, value))
            blocked = _blocked(group, causal, window, query.device)
            mask = None if blocked is None else ~blocked.expand(-1, -1, group.longest, -1)
            found = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scaling)
            cells = found.transpose(1, 2).reshape(-1, *query.shape[1:])
            output[group.start : group.stop] = cells if group.cells is None else cells.index_select(0, group.cells)
    return output


def _fused_is_faster(layout: FlatLayout, dtype: torch.dtype) -> bool:
    """Measured on a processor with AMX: in half precision the products by themselves win below about 100 tokens."""
    return dtype == torch.float32 or any(group.longest >= _LONG for group in layout.groups)


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    sliding_window: int | None = None,
    text_layout: FlatLayout | None = None,
    **rest: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention signature: ``[1, heads, tokens, d]`` in, ``[1, tokens, heads, d]`` out."""
    if text_layout is None:  # a padded batch
        padded = _sdpa()
        result: tuple[torch.Tensor, None] = padded(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, is_causal=is_causal, **rest
        )
        return result
    # Under autocast, norms and rotary positions leave queries and keys in float32 beside half-precision values.
    flat = [x[0].transpose(0, 1).to(value.dtype) for x in (query, key, value)]
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:  # grouped-query attention: each key head serves several query heads
        flat[1:] = [x.repeat_interleave(repeats, dim=1) for x in flat[1:]]
    causal = is_causal if is_causal is not None else bool(getattr(module, "is_causal", False))
    if sliding_window is not None and is_causal is False:
        sliding_window += 1  # transformers' window counts its far end where `is_causal` was switched off
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    # Training keeps to one way, so that a text's vector is the same with a graph and without.
    if torch.is_inference_mode_enabled() and not dropout and _fused_is_faster(text_layout, value.dtype):
        fused = _fused_attention(flat[0], flat[1], flat[2], text_layout, scale, causal, sliding_window)
        return fused[None], None
    apply: Any = _GroupedAttention.apply
    output = apply(*flat, text_layout, scale, dropout, causal, sliding_window)
    return output[None], None


@cache
def _sdpa() -> Any:
    from transformers import AttentionInterface

    interface: Any = AttentionInterface
    return interface()["sdpa"]


def _mask(*arguments: Any, **keywords: Any) -> Any:
    """Masks of padded batches as for SDPA; a flat batch needs none (its attention knows the layout)."""
    from transformers import AttentionMaskInterface

    interface: Any = AttentionMaskInterface
    return interface()["sdpa"](*arguments, **keywords)


@cache
def register() -> str:
    """Make the attention known to transformers; returns the name to give to ``set_attn_implementation``."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(ATTENTION, _attention)
    AttentionMaskInterface.register(ATTENTION, _mask)
    return ATTENTION
