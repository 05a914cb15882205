"""A late-interaction model's folder, as sentence-transformers' MultiVectorEncoder writes and reads it.

A Transformer whose token states pass a Dense, a MultiVectorMask that names the tokens of documents that get no vector,
and Normalize. Folders of PyLate, which say the same in one settings file, are read, too.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from cosmith.atomic import atomic_folder, require_replaceable, write_json
from cosmith.errors import InputError, nearest
from cosmith.models.backbone import load_backbone, quiet_transformers
from cosmith.models.folder import DenseSpec, listed_modules, read_dense, read_object, typed_value
from cosmith.models.kinds import says_pylate
from cosmith.models.late_interaction.markers import register_markers
from cosmith.models.weights import save_weights

ExpansionStrategy = Literal["fixed", "min"]

_SETTINGS = "config_sentence_transformers.json"
_TOKENS = "token_embeddings"
_TYPES = {
    "": "sentence_transformers.base.modules.transformer.Transformer",
    "1_Dense": "sentence_transformers.base.modules.dense.Dense",
    "2_MultiVectorMask": "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask",
    "3_Normalize": "sentence_transformers.base.modules.normalize.Normalize",
}
_FORM = {
    "transformer_task": "feature-extraction",
    "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
    "module_output_name": _TOKENS,
}
_ELSE = "Make one of a dense model: LateInteractionEncoder.from_encoder(Encoder.load(...))."


@dataclass(frozen=True)
class QueryExpansion:
    """Tokens that stand behind a query and get vectors, too, which say what the query could have had besides.

    Attributes:
        length: Tokens of a query with those behind it (ColBERT, arXiv:2004.12832, section 3.2: 32).
        strategy: ``fixed``: longer queries are cut to that length; ``min``: they are not.
        attend: Whether the query's own tokens see them; in ColBERT they do not.
        token: Which token; None: the tokenizer's mask, or its end token where it has none.
    """

    length: int = 32
    strategy: ExpansionStrategy = "fixed"
    attend: bool = False
    token: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.length, int) or isinstance(self.length, bool) or self.length < 1:
            raise InputError(f"must be a whole number above 0, not {self.length!r}", field="length", remedy="E.g. 32.")
        if self.strategy not in get_args(ExpansionStrategy):
            raise InputError(f"there is no strategy {self.strategy!r}", field="strategy",
                             remedy=nearest(str(self.strategy), get_args(ExpansionStrategy)))  # fmt: skip


@dataclass(frozen=True)
class LateInteractionSpec:
    """What a folder says beyond backbone, tokenizer and projection.

    Attributes:
        expansion: What stands behind queries; None: nothing.
        skiplist: Tokens of documents that get no vector.
        query_length: The most tokens of a query; a ``fixed`` expansion goes first. None: ``max_length``.
        document_length: Likewise of a document.
        max_length: The most tokens of a text, if the folder says it.
        prompts: Name → text put before each text.
        default_prompt: The prompt used when none is asked for.
    """

    expansion: QueryExpansion | None = None
    skiplist: tuple[str, ...] = ()
    query_length: int | None = None
    document_length: int | None = None
    max_length: int | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None


def read_late_interaction(folder: Path) -> tuple[Any, Any, DenseSpec, LateInteractionSpec]:
    """Backbone, tokenizer, projection, and what else the folder says.

    Raises:
        InputError: When it is no late-interaction model, is not whole, or has parts that Cosmith does not know.
    """
    listing = folder / "modules.json"
    modules = list(listed_modules(listing)) if listing.is_file() else []
    settings = read_object(folder / _SETTINGS)
    kinds = [kind for kind, _ in modules]
    of_pylate = says_pylate(settings) and kinds == ["Transformer", "Dense"]
    if not of_pylate and kinds != ["Transformer", "Dense", "MultiVectorMask", "Normalize"]:
        has = f"has the modules {', '.join(kinds)}" if kinds else "has no modules.json"
        raise InputError(f"{has}, which makes no late-interaction model that Cosmith knows", path=listing,
                         remedy=_ELSE)  # fmt: skip
    backbone, dense = modules[0][1], replace(read_dense(modules[1][1]), reads=_TOKENS)
    spec = _of_pylate(settings, folder) if of_pylate else _of_modules(folder, backbone, modules[2][1], settings)
    lengths = backbone / "sentence_bert_config.json"
    spec = replace(spec, max_length=typed_value(read_object(lengths), "max_seq_length", int, lengths))
    model, tokenizer = load_backbone(backbone)
    if of_pylate:
        register_markers(tokenizer, spec.prompts.values())
    return model, tokenizer, dense, spec


def _of_modules(folder: Path, backbone: Path, mask: Path, settings: Mapping[str, Any]) -> LateInteractionSpec:
    """As sentence-transformers says it."""
    path, place = backbone / "sentence_bert_config.json", mask / "config.json"
    transformer, masked = read_object(path), read_object(place)
    if masked.get("skiplist_tasks") not in (None, ["document"]) or masked.get("keep_only_token_ids"):
        raise InputError("leaves out other tokens than words of documents", path=place,
                         remedy="Cosmith reads models that skip words of documents.")  # fmt: skip
    if settings.get("similarity_fn_name") not in (None, "maxsim"):
        raise InputError(f"scores by {settings['similarity_fn_name']!r}", path=folder / _SETTINGS,
                         field="similarity_fn_name", remedy="Cosmith reads models that score by 'maxsim'.")  # fmt: skip
    said = typed_value(transformer, "query_expansion", dict, path)
    known = {name: value for name, value in (said or {}).items() if name in QueryExpansion.__dataclass_fields__}
    return LateInteractionSpec(
        expansion=None if said is None else QueryExpansion(**known),
        skiplist=tuple(typed_value(masked, "skiplist_words", list, place) or ()),
        query_length=typed_value(transformer, "query_length", int, path),
        document_length=typed_value(transformer, "document_length", int, path),
        prompts=_prompts(settings, folder),
        default_prompt=settings.get("default_prompt_name"),
    )


def _of_pylate(settings: Mapping[str, Any], folder: Path) -> LateInteractionSpec:
    """As PyLate says it: the prefixes are marker tokens, expansion and skipping of punctuation are on unless denied."""
    path = folder / _SETTINGS
    prompts = _prompts(settings, folder)
    for name in ("query", "document"):
        prefix = typed_value(settings, f"{name}_prefix", str, path) or ""
        if prefix:
            prompts[name] = prefix + prompts.get(name, "").removeprefix(prefix)
    length = typed_value(settings, "query_length", int, path) or 32
    expands = settings.get("do_query_expansion") is not False
    skipped = typed_value(settings, "skiplist_words", list, path)
    return LateInteractionSpec(
        expansion=QueryExpansion(length, attend=bool(settings.get("attend_to_expansion_tokens"))) if expands else None,
        skiplist=tuple(string.punctuation if skipped is None else skipped),
        query_length=None if expands else length,
        document_length=typed_value(settings, "document_length", int, path),
        prompts=prompts,
    )


def _prompts(settings: Mapping[str, Any], folder: Path) -> dict[str, str]:
    prompts = typed_value(settings, "prompts", dict, folder / _SETTINGS) or {}
    return {name: text for name, text in prompts.items() if text}


def write_late_interaction(
    folder: str | Path,
    backbone: Any,
    dense: torch.nn.Module,
    dense_spec: DenseSpec,
    tokenizer: Any,
    spec: LateInteractionSpec,
    card: str | None,
) -> Path:
    """Write the folder, atomically.

    Raises:
        InputError: When the folder holds something else than a model.
    """
    import transformers

    target = Path(folder)
    require_replaceable(target, "modules.json", "a model")
    with atomic_folder(target) as place:
        with quiet_transformers():
            backbone.save_pretrained(place, safe_serialization=True)
        tokenizer.save_pretrained(place)
        lengths = {"query_length": spec.query_length, "document_length": spec.document_length}
        said = {name: length for name, length in lengths.items() if length is not None}
        expansion = {} if spec.expansion is None else {"query_expansion": asdict(spec.expansion)}
        write_json(place / "sentence_bert_config.json", _FORM | said | expansion)
        for name in ("1_Dense", "2_MultiVectorMask", "3_Normalize"):
            (place / name).mkdir()
        dense_spec.write(place / "1_Dense")
        save_weights(dense, place / "1_Dense")
        skipped = {"skiplist_words": list(spec.skiplist), "skiplist_tasks": ["document"], "keep_only_token_ids": None}
        write_json(place / "2_MultiVectorMask" / "config.json", skipped)
        write_json(place / "3_Normalize" / "config.json", {"module_input_name": _TOKENS, "module_output_name": _TOKENS})
        listing = [{"idx": number, "name": str(number), "path": path, "type": kind}
                   for number, (path, kind) in enumerate(_TYPES.items())]  # fmt: skip
        write_json(place / "modules.json", listing)
        settings = {
            "__version__": {"pytorch": torch.__version__, "transformers": transformers.__version__},
            "default_prompt_name": spec.default_prompt,
            "model_type": "MultiVectorEncoder",
            "prompts": {"query": "", "document": "", **spec.prompts},
            "similarity_fn_name": "maxsim",
        }
        write_json(place / _SETTINGS, settings)
        if card is not None:
            (place / "README.md").write_text(card, encoding="utf-8")
    return target
