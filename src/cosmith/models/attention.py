"""Which tokens see which: the switch that lets a decoder look ahead, and the attention that a backbone runs with.

A decoder that embeds texts gains when its early tokens may see the later ones (LLM2Vec, arXiv:2404.05961, section 2;
NV-Embed, arXiv:2405.17428, section 3). The switch is transformers' own ``is_causal`` in the backbone's config.json, so
it travels with the model folder, and transformers and sentence-transformers honour it, too.
"""

from __future__ import annotations

from typing import Any

from cosmith.errors import InputError
from cosmith.models import variable_length
from cosmith.models.static import MODEL_TYPE as STATIC

# Decoders whose every mask transformers makes from `is_causal`; each is tested against a full mask made by hand.
DECODERS = ("gemma", "gemma2", "gemma3_text", "llama", "mistral", "qwen2", "qwen3")
# In these, the configuration's own switch changes one part of the attention and not the other.
_HALF_A_SWITCH = ("gemma", "gemma2")


def set_bidirectional(backbone: Any, on: bool) -> None:
    """Let every token of a decoder see the whole text, or only what stands before it, as it was pre-trained.

    Args:
        backbone: A transformers model; its config is changed, no weight is.
        on: Which.

    Raises:
        InputError: When it is of a family for which this is not known to be right.
    """
    config = backbone.config
    if config.model_type not in DECODERS:
        raise InputError(
            f"the attention of a backbone of type {config.model_type!r} cannot be switched", field="bidirectional",
            remedy=f"Leave the switch out; it is for {', '.join(DECODERS)}.",
        )  # fmt: skip
    if on:
        config.is_causal = False
    elif getattr(config, "use_bidirectional_attention", False):
        raise InputError("the backbone was trained with its tokens seeing the whole text", field="bidirectional",
                         remedy="Leave it so.")  # fmt: skip
    elif hasattr(config, "is_causal"):
        del config.is_causal


def set_attention(backbone: Any) -> bool:
    """Choose how a backbone computes its attention.

    Returns:
        Whether it runs on texts without padding.

    Raises:
        InputError: When its configuration asks for something that transformers does only half.
    """
    config = backbone.config
    if config.model_type == STATIC:
        return True  # it has none
    halved = config.model_type in _HALF_A_SWITCH and getattr(config, "use_bidirectional_attention", False)
    if halved and getattr(config, "is_causal", True):
        raise InputError(
            "says use_bidirectional_attention, which transformers obeys in one half of this family's attention only",
            field="bidirectional", remedy="Load it with bidirectional=True.",
        )  # fmt: skip
    if variable_length.supports(config.model_type):
        backbone.set_attn_implementation(variable_length.register())
        return True
    capped = getattr(config, "attn_logit_softcapping", None) is not None  # Gemma 2; torch's fused attention has no cap
    backbone.set_attn_implementation("eager" if capped else "sdpa")
    return False
