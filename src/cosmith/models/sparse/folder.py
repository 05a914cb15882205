"""A sparse encoder's folder, as sentence-transformers' SparseEncoder writes and reads it.

A transformers ``…ForMaskedLM`` folder, with a SpladePooling module that says how the scores of words become a vector;
a bare folder of the kind gets the usual one, max. Where queries have weights of their own, a Router stands before both:
each of its routes, ``query`` and ``document``, is a list of modules in folders of their own. Module types are written
under their classic names, which every release of sentence-transformers that knows sparse encoders loads.
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
from cosmith.models.folder import inside, listed_modules, read_object, typed_value
from cosmith.models.sparse.static_queries import StaticQueries, read_static_queries, write_static_queries

SparsePooling = Literal["max", "sum"]
Saturation = Literal["relu", "log1p_relu"]

_SETTINGS, _QUERIES = "config_sentence_transformers.json", "query_0_SparseStaticEmbedding"
_ROUTER, _ROUTES = "sentence_transformers.models.Router", "router_config.json"
_TYPES = {kind: f"sentence_transformers.sparse_encoder.models.{kind}"
          for kind in ("MLMTransformer", "SpladePooling", "SparseStaticEmbedding")}  # fmt: skip
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


def read_sparse_encoder(folder: Path) -> tuple[Any, Any, SparseSpec, tuple[StaticQueries, Any] | None]:
    """The transformers model with its head, the tokenizer, what else the folder says, and the weights of queries with
    their tokenizer where queries have some.

    Raises:
        InputError: When it is no sparse encoder, is not whole, or has parts that Cosmith does not know.
    """
    listing = folder / "modules.json"
    modules = list(listed_modules(listing)) if listing.is_file() else []
    static = None
    if [kind for kind, _ in modules] == ["Router"]:
        static, modules = _routes(modules[0][1])
    kinds = [kind for kind, _ in modules]
    if kinds not in ([], ["MLMTransformer", "SpladePooling"], ["Transformer", "SpladePooling"]):
        raise InputError(f"has the modules {', '.join(kinds)}, which make no sparse encoder that Cosmith knows",
                         path=listing, remedy="Known: a Transformer with a SpladePooling, or a Router.")  # fmt: skip
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
    spec = SparseSpec(
        pooling=pooling.get("pooling_strategy", "max"),
        saturation=pooling.get("activation_function", "relu"),
        max_length=typed_value(read_object(backbone / "sentence_bert_config.json"), "max_seq_length", int, backbone),
        prompts={name: text for name, text in prompts.items() if text},
        default_prompt=settings.get("default_prompt_name"),
    )
    queries = None if static is None else read_static_queries(static, int(model.config.vocab_size))
    return model, tokenizer, spec, queries


def _routes(folder: Path) -> tuple[Path, list[tuple[str, Path]]]:
    """The folder of the queries' weights, and the modules of the documents."""
    config = read_object(folder / _ROUTES)
    kinds = typed_value(config, "types", dict, folder / _ROUTES) or {}
    structure = typed_value(config, "structure", dict, folder / _ROUTES) or {}
    modules = {
        route: [(str(kinds.get(name, name)).rpartition(".")[2], inside(folder, str(name))) for name in names]
        for route, names in structure.items()
    }
    queries = modules.get("query", [])
    if modules.keys() != {"query", "document"} or [kind for kind, _ in queries] != ["SparseStaticEmbedding"]:
        raise InputError(
            f"has the routes {', '.join(modules) or 'none'}, which make no sparse encoder that Cosmith knows",
            path=folder / _ROUTES,
            remedy="Known: a SparseStaticEmbedding for `query`, a Transformer with a SpladePooling for `document`.",
        )
    return queries[0][1], modules["document"]


def write_sparse_encoder(
    folder: str | Path,
    model: Any,
    tokenizer: Any,
    spec: SparseSpec,
    card: str | None,
    static: tuple[StaticQueries, Any] | None = None,
) -> Path:
    """Write the folder, atomically; ``static`` are the weights of queries and their tokenizer, if they have some.

    Raises:
        InputError: When the folder holds something else than a model.
    """
    import transformers

    target = Path(folder)
    require_replaceable(target, "modules.json", "a model")
    names = ("", "1_SpladePooling") if static is None else ("document_0_MLMTransformer", "document_1_SpladePooling")
    with atomic_folder(target) as place:
        with quiet_transformers():
            model.save_pretrained(place / names[0], safe_serialization=True)
        tokenizer.save_pretrained(place / names[0])
        write_json(place / names[0] / "sentence_bert_config.json", _FORM)
        pooling = {
            "pooling_strategy": spec.pooling,
            "activation_function": spec.saturation,
            "word_embedding_dimension": int(model.config.vocab_size),
        }
        write_json(place / names[1] / "config.json", pooling)
        modules = list(zip(names, (_TYPES["MLMTransformer"], _TYPES["SpladePooling"]), strict=True))
        if static is not None:
            write_static_queries(*static, place / _QUERIES)
            routes = {"query": [_QUERIES], "document": list(names)}
            write_json(place / _ROUTES, {
                "types": {_QUERIES: _TYPES["SparseStaticEmbedding"], **dict(modules)}, "structure": routes,
                "parameters": {"default_route": "document", "allow_empty_key": True},
            })  # fmt: skip
            modules = [("", _ROUTER)]
        listing = [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (path, kind) in enumerate(modules)]
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
