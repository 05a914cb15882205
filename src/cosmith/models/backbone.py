"""Backbone and tokenizer of a model folder: all of their weights and words, or a refusal.

transformers fills what a folder lacks with random weights and an empty vocabulary, and says so in its log only. Vectors
of such a model look like vectors, so here it is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from cosmith.errors import InputError
from cosmith.models.adapters import base_of, load_adapter
from cosmith.models.folder import ModelSpec, read_spec
from cosmith.models.packaged import find_model
from cosmith.models.runtimes.description import is_export
from cosmith.models.static import read_static
from cosmith.models.tokenization import TextTokenizer

_WHOLE = "It needs config.json, tokenizer.json and model.safetensors of a known architecture, each of them whole."
# No vector depends on it, and many models are saved without it.
_UNUSED = "pooler."
# What a configuration says that changes no vector.
_NO_MATTER = {
    "_attn_implementation", "_name_or_path", "architectures", "attn_implementation", "bos_token_id", "dtype",
    "eos_token_id", "gradient_checkpointing", "id2label", "initializer_range", "is_encoder_decoder", "label2id",
    "output_attentions", "output_hidden_states", "problem_type", "return_dict", "tie_word_embeddings", "torch_dtype",
    "transformers_version", "use_cache",
}  # fmt: skip


def load_parts(folder: Path) -> tuple[Any, TextTokenizer, ModelSpec]:
    """Backbone, tokenizer and description of a model folder.

    Raises:
        InputError: When it is none, is not whole, or has parts that Cosmith does not know.
    """
    spec = read_spec(folder)
    if is_export(folder):
        raise InputError("is an exported model, which has no weights for torch", path=folder,
                         remedy="Load it with cosmith.load_encoder, or name the model it was made from.")  # fmt: skip
    if spec.static:
        static, words, cut = read_static(spec.backbone)
        return static, TextTokenizer(words, special_tokens=False), replace(spec, max_length=cut)
    backbone, words = load_backbone(spec.backbone)
    return backbone, TextTokenizer(words, do_lower_case=spec.do_lower_case), spec


def load_backbone(folder: Path, kind: str = "AutoModel") -> tuple[Any, Any]:
    """The transformers model and tokenizer of a folder; weights from safetensors only, no code from the folder.

    Args:
        folder: Where.
        kind: The transformers class that knows which model to make: ``AutoModel`` for the bare backbone, another one
            for a backbone with its head.

    Raises:
        InputError: When they cannot be loaded, or the folder does not hold all of their weights and words.
    """
    import transformers

    base = base_of(folder) if kind == "AutoModel" else None
    if base is not None:
        backbone, tokenizer = load_backbone(read_spec(find_model(base)).backbone)
        backbone.config.name_or_path = base
        load_adapter(backbone, folder)
        return backbone, tokenizer
    try:
        with quiet_transformers():
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            backbone, found = getattr(transformers, kind).from_pretrained(
                folder, trust_remote_code=False, use_safetensors=True, dtype=torch.float32,
                output_loading_info=True, ignore_mismatched_sizes=True,
            )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(f"cannot be loaded as a transformers model ({reason})", path=folder, remedy=_WHOLE) from error
    _require_words(tokenizer, folder)
    _require_weights(backbone, found, folder)
    return backbone, tokenizer


def _require_words(tokenizer: Any, folder: Path) -> None:
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise InputError(
            "the tokenizer has no vocabulary", path=folder,
            remedy="Save or fetch the model anew, with its tokenizer.json.",
        )  # fmt: skip


def _require_weights(backbone: Any, found: dict[str, Any], folder: Path) -> None:
    """Refuse random weights; a pooler of such is taken out, or the model's fingerprint would differ at every load."""
    missing = sorted(name for name in found["missing_keys"] if not name.startswith(_UNUSED))
    other = sorted(name for name, *_ in found["mismatched_keys"])
    if missing or other:
        problem = f"has no weights for {missing[0]}" if missing else f"has weights of another size for {other[0]}"
        more = len(missing) + len(other) - 1
        problem += f" and {more} more parts of the model that config.json describes" if more else ""
        raise InputError(problem, path=folder, remedy="Save or fetch the model anew, as a whole.")
    if found["missing_keys"]:
        backbone.pooler = None


def of_matter(config: Any) -> dict[str, Any]:
    """What of a backbone's configuration its vectors depend on.

    Activation, rotary base, norm epsilon, heads and the like; not who saved the model, how it is computed, or what
    only training or generation reads. Sizes are in the weights, but do no harm.
    """
    return {key: value for key, value in config.to_dict().items() if key not in _NO_MATTER and "dropout" not in key}


def described(config: Any) -> str:
    """:func:`of_matter` as JSON, less the defaults of its kind: a key that is new in transformers changes nothing."""
    usual = type(config)().to_dict()
    told = {key: value for key, value in of_matter(config).items() if key not in usual or usual[key] != value}
    return json.dumps(told | {"model_type": config.model_type}, sort_keys=True, default=str)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers from drawing its own progress bars and reports over ours."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()
