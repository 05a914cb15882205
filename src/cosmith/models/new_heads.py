"""A new head on an encoder's backbone."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from cosmith.errors import InputError
from cosmith.models.adapters import has_adapter

if TYPE_CHECKING:
    from cosmith.models.encoder import Encoder


def with_new_head(encoder: Encoder, kind: str, seed: int, **settings: Any) -> tuple[Any, Any]:
    """A transformers model with the weights of an encoder's backbone and a head that nobody has trained yet.

    Args:
        encoder: Left as it is.
        kind: The transformers class that knows which model to make, e.g. ``AutoModelForMaskedLM``.
        seed: Of the head; torch's generators are left as they were.
        settings: Changes to the configuration.

    Returns:
        Model and tokenizer, both copies.

    Raises:
        InputError: When the encoder is static, has an adapter that is not merged, or its family has no such head.
    """
    import transformers

    backbone = bare_backbone(encoder)
    tokenizer = copy.deepcopy(encoder.tokenizer.tokenizer)
    config = copy.deepcopy(backbone.config)
    for name, value in ({"pad_token_id": tokenizer.pad_token_id} | settings).items():
        setattr(config, name, value)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = getattr(transformers, kind).from_config(config, dtype=torch.float32)
    except ValueError as error:  # "Unrecognized configuration class": the family is not among those with the head
        raise InputError(
            f"models of type {config.model_type!r} have no head of the kind {kind.removeprefix('AutoModelFor')}",
            field="encoder", remedy="Take a model of another family, e.g. BERT's.",
        ) from error  # fmt: skip
    wanted, known = model.base_model.state_dict(), backbone.state_dict()  # one of them may have a pooler more
    model.base_model.load_state_dict({name: known.get(name, value) for name, value in wanted.items()})
    return model, tokenizer


def bare_backbone(encoder: Encoder) -> Any:
    """The transformer that a model of another kind can be built on.

    Raises:
        InputError: When the encoder is static or has an adapter that is not merged.
    """
    backbone = encoder.module["backbone"]
    if encoder.is_static or has_adapter(backbone):
        what = "a static model reads no context" if encoder.is_static else "the model has an adapter"
        raise InputError(what, field="encoder", remedy="Take a transformer whose adapters are merged.")
    return backbone


def parts_of(model: Any) -> torch.nn.ModuleDict:
    """A transformers model as its ``backbone`` and its ``head``; weights that the two tie are in both."""
    backbone = model.base_model
    head = {name: part for name, part in model.named_children() if part is not backbone}
    return torch.nn.ModuleDict({"backbone": backbone, "head": torch.nn.ModuleDict(head)})
