"""Writing a model as a sentence-transformers folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from cosmith.atomic import atomic_folder, require_replaceable, write_json
from cosmith.models.adapters import has_adapter, save_adapter
from cosmith.models.backbone import quiet_transformers
from cosmith.models.fingerprint_parts import EmbeddingFingerprint
from cosmith.models.folder import ModelSpec, write_spec
from cosmith.models.lengths import UNLIMITED
from cosmith.models.static import StaticEmbedding, write_static, write_words
from cosmith.models.tokenization import TextTokenizer
from cosmith.models.weights import save_weights

FINGERPRINT = "fingerprint.json"
"""What the vectors of a folder's model depend on, as it was saved; loading takes no notice of it."""


def save_model(
    folder: str | Path,
    backbone: Any,
    modules: Sequence[torch.nn.Module],
    tokenizer: TextTokenizer,
    spec: ModelSpec,
    card: str | None,
    fingerprint: EmbeddingFingerprint,
) -> Path:
    """Write a model folder, atomically; of a backbone with an adapter the adapter alone.

    Args:
        folder: Where; an older model there is replaced as a whole.
        backbone: A transformers model, or a static one.
        modules: The modules with weights of their own, as :func:`~cosmith.models.folder.write_spec` lists them.
        tokenizer: Written beside the backbone.
        spec: What stands in the folder besides.
        card: The text of its README.md (the model card).
        fingerprint: Of the model; written beside it.

    Raises:
        InputError: When the folder holds something else than a model.
    """
    target = Path(folder)
    require_replaceable(target, "modules.json", "a model")
    with atomic_folder(target) as place:
        if isinstance(backbone, StaticEmbedding):
            write_static(backbone, tokenizer.tokenizer, spec.max_length or UNLIMITED, place)
        else:
            _write_transformer(backbone, tokenizer, place)
        _write_modules(place, backbone, modules, spec)
        write_json(place / FINGERPRINT, fingerprint.as_json())
        if card is not None:
            (place / "README.md").write_text(card, encoding="utf-8")
    if not has_adapter(backbone):
        backbone.config.name_or_path = str(target.resolve())
    return target


def write_without_backbone(
    place: Path, backbone: Any, modules: Sequence[torch.nn.Module], tokenizer: TextTokenizer, spec: ModelSpec
) -> None:
    """Write into a folder what :func:`save_model` does, less the weights of the backbone, which is no adapter."""
    if isinstance(backbone, StaticEmbedding):
        write_words(tokenizer.tokenizer, spec.max_length or UNLIMITED, place)
    else:
        backbone.config.save_pretrained(place)
        tokenizer.tokenizer.save_pretrained(place)
    _write_modules(place, backbone, modules, spec)


def _write_modules(place: Path, backbone: Any, modules: Sequence[torch.nn.Module], spec: ModelSpec) -> None:
    import transformers

    versions = {"pytorch": torch.__version__, "transformers": transformers.__version__}
    for module, own in zip(modules, write_spec(place, spec, backbone.config.hidden_size, versions), strict=True):
        save_weights(module, own)


def _write_transformer(backbone: Any, tokenizer: TextTokenizer, place: Path) -> None:
    if has_adapter(backbone):
        save_adapter(backbone, place)
    else:
        with quiet_transformers():
            backbone.save_pretrained(place, safe_serialization=True)
    tokenizer.tokenizer.save_pretrained(place)
