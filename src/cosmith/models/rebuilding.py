"""An encoder with another backbone: the same head, prompts and pooling on fewer layers or fewer tokens."""

from __future__ import annotations

from typing import Any

from cosmith.models.encoder import Encoder
from cosmith.models.tokenization import TextTokenizer


def with_backbone(encoder: Encoder, backbone: Any, *, tokenizer: TextTokenizer | None = None, name: str) -> Encoder:
    """A new encoder of another backbone and of copies of all the rest of an encoder.

    Args:
        encoder: Whose head, pooling, prompts and maximum length; it is left as it is.
        backbone: As wide as the encoder's own.
        tokenizer: Whose numbers the backbone knows; None: the encoder's.
        name: What to call it.
    """
    backbone.config.name_or_path = ""  # it is no longer the model that was loaded
    made = Encoder(
        backbone.to(encoder.device), tokenizer or encoder.tokenizer, encoder.spec, name=name,
        precision=encoder.precision,
    )  # fmt: skip
    for part, module in encoder.module.items():
        if part != "backbone":
            made.module[part].load_state_dict(module.state_dict())
    made.module.to(encoder.device)
    return made
