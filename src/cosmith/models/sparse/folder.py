"""A sparse encoder's folder, as sentence-transformers' SparseEncoder writes and reads it.

A transformers ``…ForMaskedLM`` folder, with a SpladePooling module that says how the scores of words become a vector;
a bare folder of the kind gets the usual one, max. Module types are written under their classic names, which every
release of sentence-transformers that knows sparse encoders loads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from cosmith.atomic import atomic_folder, require_replaceable, write_json
from cosmith.errors import InputError, nearest
from cosmith.models.backbone import load_backbone, quiet_transformers
from cosmith.models.folder import listed_modules, read_object, typed_value

SparsePooling = Literal["max", "sum"]
Saturation = Literal["relu", "log1p_relu"]

_SETTINGS = "config_sentence_transformers.json"
_TYPES = ("sentence_transformers.sparse_encoder.models.MLMTransformer",
          "sentence_transformers.sparse_encoder.models.SpladePooling")  # fmt: skip
_FORM = {
    "transformer_task": "fill-mask",
    "modality_config": {"text": {"method": "forward", "method_output_name": "logits"}},
    "module_output_name": "token_embeddings",
}


@dataclass(frozen=True)
class SparseSpec:
    """What a folder says beyond model and tokenizer.

    Attributes:
        pooling: How the weights of a word at all places of a text become one: ``max`` (SPLADE v2) or ``sum``.
        saturation: ``relu``: log(1 + relu(x)); ``log1p_relu``: log(1 + log(1 + relu(x))) (arXiv:2504.14839).
        max_length: The most tokens of a text, if the folder says it.
        prompts: Name → text put before each text.
        default_prompt: The prompt used when none is asked for.
    """

    pooling: SparsePooling = "max"
    saturation: Saturation = "relu"
    max_length: int | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None

    def __post_init__(self) -> None:
        for name, valid in (("pooling", get_args(SparsePooling)), ("saturation", get_args(Saturation))):
            if getattr(self, name) not in valid:
                raise InputError(f"there is no {name} {getattr(self, name)!r}", field=name,
                                 remedy=nearest(str(getattr(self, name)), valid))  # fmt: skip


def holds_language_head(folder: Path) -> bool:
    """Whether a model folder can be read as a sparse encoder: it has a head for masked language modelling."""
    architectures = read_object(folder / "config.json").get("architectures") or [""]
    return str(architectures[0]).endswith("ForMaskedLM")


def read_sparse_encoder(folder: Path) -> tuple[Any, Any, SparseSpec]:
    """The transformers model with its head, the tokenizer, and what else the folder says.

    Raises:
        InputError: When it is no sparse encoder, is not whole, or has parts that Cosmith does not know.
    """
    listing = folder / "modules.json"
    modules = list(listed_modules(listing)) if listing.is_file() else []
    kinds = [kind for kind, _ in modules]
    if kinds not in ([], ["MLMTransformer", "SpladePooling"], ["Transformer", "SpladePooling"]):
        raise InputError(f"has the modules {', '.join(kinds)}, which make no sparse encoder that Cosmith knows",
                         path=listing, remedy="Known: a Transformer with a SpladePooling.")  # fmt: skip
    backbone = modules[0][1] if modules else folder
    if not holds_language_head(backbone):
        raise InputError(
            "has no head for masked language modelling, which gives words their weights", path=backbone,
            remedy="Make a sparse encoder of it: SparseEncoder.from_encoder(Encoder.load(...)).",
        )  # fmt: skip
    model, tokenizer = load_backbone(backbone, "AutoModelForMaskedLM")
    pooling = read_object(modules[1][1] / "config.json") if modules else {}
    settings = read_object(folder / _SETTINGS)
    prompts = typed_value(settings, "prompts", dict, folder / _SETTINGS) or {}
    return model, tokenizer, SparseSpec(
        pooling=pooling.get("pooling_strategy", "max"),
        saturation=pooling.get("activation_function", "relu"),
        max_length=typed_value(read_object(backbone / "sentence_bert_config.json"), "max_seq_length", int, backbone),
        prompts={name: text for name, text in prompts.items() if text},
        default_prompt=settings.get("default_prompt_name"),
    )  # fmt: skip


def write_sparse_encoder(folder: str | Path, model: Any, tokenizer: Any, spec: SparseSpec, card: str | None) -> Path:
    """Write the folder, atomically.

    Raises:
        InputError: When the folder holds something else than a model.
    """
    import transformers

    target = Path(folder)
    require_replaceable(target, "modules.json", "a model")
    with atomic_folder(target) as place:
        with quiet_transformers():
            model.save_pretrained(place, safe_serialization=True)
        tokenizer.save_pretrained(place)
        write_json(place / "sentence_bert_config.json", _FORM)
        pooling = {
            "pooling_strategy": spec.pooling,
            "activation_function": spec.saturation,
            "word_embedding_dimension": int(model.config.vocab_size),
        }
        write_json(place / "1_SpladePooling" / "config.json", pooling)
        listing = [{"idx": i, "name": str(i), "path": path, "type": kind}
                   for i, (path, kind) in enumerate(zip(("", "1_SpladePooling"), _TYPES, strict=True))]  # fmt: skip
        write_json(place / "modules.json", listing)
        settings = {
            "__version__": {"pytorch": torch.__version__, "transformers": transformers.__version__},
            "default_prompt_name": spec.default_prompt,
            "model_type": "SparseEncoder",
            "prompts": {"query": "", "document": "", **spec.prompts},
            "similarity_fn_name": "dot",
        }
        write_json(place / _SETTINGS, settings)
        if card is not None:
            (place / "README.md").write_text(card, encoding="utf-8")
    return target
