"""The sentence-transformers folder layout, read and written without that library.

``modules.json`` lists the modules in order; the backbone stands in the folder itself (or ``0_Transformer``), and each
further module has a folder with its ``config.json``. Known modules: Transformer, LatentAttention (Cosmith's own) and
Pooling, or StaticEmbedding in their place; Dense, Normalize. The module types are written under their classic names,
which every release of sentence-transformers loads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cosmith.atomic import write_json
from cosmith.errors import InputError, nearest
from cosmith.models.similarity import SIMILARITIES, Similarity

if TYPE_CHECKING:
    from cosmith.models.pooling import Pooling

T = TypeVar("T")

_POOLING_NAMES: dict[str, Pooling] = {
    "cls": "cls",
    "mean": "mean",
    "max": "max",
    "weightedmean": "weighted_mean",
    "lasttoken": "last_token",
    "mean_sqrt_len_tokens": "mean_sqrt_len",
}
_POOLING_FLAGS: dict[str, Pooling] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weighted_mean",
    "pooling_mode_lasttoken": "last_token",
}
_ANEW = "Save or fetch the model anew."
_CLASSIC = "sentence_transformers.models."
_LATENT_ATTENTION = "cosmith.models.sentence_transformers_modules.LatentAttention"


@dataclass(frozen=True)
class DenseSpec:
    """One Dense module: ``activation(x W^T + b)`` of what ``reads`` names; ``folder`` holds its weights."""

    in_features: int
    out_features: int
    bias: bool = True
    activation: str = "torch.nn.modules.linear.Identity"
    folder: Path | None = None
    reads: str = "sentence_embedding"

    def write(self, folder: Path) -> None:
        """Write the module's config.json."""
        config = {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "bias": self.bias,
            "activation_function": self.activation,
        }
        if self.reads != DenseSpec.reads:  # a key that old releases of sentence-transformers do not know
            config["module_input_name"] = self.reads
        write_json(folder / "config.json", config)


@dataclass(frozen=True)
class LatentAttentionSpec:
    """A :class:`~cosmith.models.latent_attention.LatentAttention` before the pooling.

    Attributes:
        width: Of the token states.
        latents: Entries of the dictionary.
        heads: Attention heads, which divide ``width``.
        folder: Holds its weights.
    """

    width: int
    latents: int = 512
    heads: int = 8
    folder: Path | None = field(default=None, compare=False)

    def write(self, folder: Path) -> None:
        """Write the module's config.json."""
        write_json(folder / "config.json", {"width": self.width, "latents": self.latents, "heads": self.heads})


@dataclass(frozen=True)
class ModelSpec:
    """What the folder says beyond backbone and tokenizer.

    Attributes:
        pooling: How token vectors become one.
        head: What follows the pooling: Dense modules and the word ``"normalize"``, in order.
        max_length: ``max_seq_length``, if the folder gives one.
        do_lower_case: Lower-case texts before tokenising.
        prompts: Name → text put before each text.
        default_prompt: The prompt used when none is asked for.
        similarity: ``similarity_fn_name``: by what vectors are compared; None: not said, so by their cosine.
        include_prompt: Whether the tokens of the prompt are pooled with those of the text.
        latent_attention: What token states pass before the pooling, if anything.
        static: Whether the backbone is a :class:`~cosmith.models.static.StaticEmbedding`, with its own pooling.
        backbone: The folder of the backbone and tokenizer.
    """

    pooling: Pooling
    head: tuple[DenseSpec | str, ...]
    backbone: Path = Path()
    max_length: int | None = None
    do_lower_case: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    similarity: Similarity | None = None
    include_prompt: bool = True
    latent_attention: LatentAttentionSpec | None = None
    static: bool = False

    @property
    def normalises(self) -> bool:
        """Whether its own modules leave vectors of length one."""
        return self.head[-1:] == ("normalize",)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not valid JSON ({error})", path=path, remedy=_ANEW) from error


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no such file."""
    value = _json(path) if path.is_file() else {}
    return value if isinstance(value, dict) else {}


def read_spec(folder: Path) -> ModelSpec:
    """Read a model folder; a plain transformers folder gets mean pooling, as in sentence-transformers.

    Raises:
        InputError: When it is no model folder, or has a module that Cosmith does not know.
    """
    listing = folder / "modules.json"
    if not listing.is_file():
        if not (folder / "config.json").is_file():
            raise InputError(
                "is not a model folder: neither modules.json nor config.json stands in it",
                path=folder,
                remedy="Name a folder saved by Cosmith, sentence-transformers or transformers.",
            )
        return ModelSpec(pooling="mean", head=("normalize",), backbone=folder)
    pooling: Pooling | None = None
    include_prompt = True
    latent_attention: LatentAttentionSpec | None = None
    static = False
    head: list[DenseSpec | str] = []
    backbone: Path | None = None
    for kind, place in listed_modules(listing):
        if kind == "Transformer":
            backbone = place
        elif kind == "StaticEmbedding" and backbone is None:
            backbone, pooling, static = place, "mean", True
        elif kind == "Pooling" and not static:
            pooling, include_prompt = _pooling(place / "config.json")
        elif kind == "LatentAttention" and pooling is None:
            latent_attention = read_latent_attention(place)
        elif kind == "Dense":
            dense = read_dense(place)
            if dense.reads != DenseSpec.reads:
                raise InputError("works on token vectors, which a dense model has none of", path=place,
                                 field="module_input_name", remedy="Load it as a LateInteractionEncoder.")  # fmt: skip
            head.append(dense)
        elif kind == "Normalize":
            head.append("normalize")
        else:
            raise InputError(
                f"has a module of type {kind}, which Cosmith does not know",
                path=listing,
                remedy="Known: Transformer, LatentAttention and Pooling, or StaticEmbedding; Dense, Normalize.",
            )
    if backbone is None or pooling is None:
        raise InputError("lists no Transformer with a Pooling", path=listing, remedy="Name a dense text model.")
    lengths, settings = backbone / "sentence_bert_config.json", folder / "config_sentence_transformers.json"
    transformer, whole = read_object(lengths), read_object(settings)
    prompts = typed_value(whole, "prompts", dict, settings) or {}
    return ModelSpec(
        pooling=pooling,
        head=tuple(head),
        backbone=backbone,
        max_length=typed_value(transformer, "max_seq_length", int, lengths),
        do_lower_case=bool(transformer.get("do_lower_case", False)),
        prompts={name: text for name, text in prompts.items() if text},
        default_prompt=whole.get("default_prompt_name"),
        similarity=_similarity(typed_value(whole, "similarity_fn_name", str, settings), settings),
        include_prompt=include_prompt,
        latent_attention=latent_attention,
        static=static,
    )


def _similarity(said: str | None, path: Path) -> Similarity | None:
    """The similarity of a name."""
    known = {str(each): each for each in SIMILARITIES}
    if said is not None and said not in known:
        raise InputError(f"{said!r} is no way to compare vectors", path=path, field="similarity_fn_name",
                         remedy=nearest(said, known))  # fmt: skip
    return None if said is None else known[said]


def listed_modules(listing: Path) -> Iterator[tuple[str, Path]]:
    """The kind and the folder of each module."""
    modules = _json(listing)
    for module in modules if isinstance(modules, list) else [modules]:
        place = module.get("path") if isinstance(module, dict) else None
        kind = module.get("type") if isinstance(module, dict) else None
        if not isinstance(place, str) or not isinstance(kind, str):
            raise InputError("is not a list of modules with a type and a path each", path=listing, remedy=_ANEW)
        yield kind.rpartition(".")[2], inside(listing.parent, place)


def typed_value(config: Mapping[str, Any], key: str, kind: type[T], path: Path) -> T | None:
    """A value of a configuration, None where it is not said.

    Raises:
        InputError: When it is of another type.
    """
    value = config.get(key)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool) != (kind is bool)):
        raise InputError(f"is {value!r}, not of type {kind.__name__}", path=path, field=key, remedy=_ANEW)
    return value


def required_value(config: Mapping[str, Any], key: str, kind: type[T], path: Path) -> T:
    value = typed_value(config, key, kind, path)
    if value is None:
        raise InputError(f"does not say {key!r}", path=path, field=key, remedy=_ANEW)
    return value


def inside(folder: Path, relative: str) -> Path:
    """A folder within a model's.

    Raises:
        InputError: When it would lie outside.
    """
    place = (folder / relative).resolve()
    if not place.is_relative_to(folder.resolve()):
        raise InputError(f"names a folder outside the model: {relative!r}", path=folder / "modules.json", remedy=_ANEW)
    return folder / relative if relative else folder


def _pooling(path: Path) -> tuple[Pooling, bool]:
    """The pooling, and whether the prompt takes part in it."""
    config = read_object(path)
    named = config.get("pooling_mode")
    names = [named] if isinstance(named, str) else list(named or ())
    modes = [_POOLING_NAMES[name] for name in names if name in _POOLING_NAMES]
    modes += [mode for flag, mode in _POOLING_FLAGS.items() if config.get(flag)]
    if len(modes) != 1:
        raise InputError(
            f"wants {len(modes)} known pooling modes", path=path, remedy="Cosmith reads models with exactly one."
        )
    return modes[0], bool(config.get("include_prompt", True))


def _require_weights(folder: Path) -> None:
    if not (folder / "model.safetensors").is_file():
        raise InputError(
            "has no model.safetensors; pickled weights are never loaded",
            path=folder,
            remedy="Load the model once with sentence-transformers and save it with safetensors.",
        )


def read_latent_attention(folder: Path) -> LatentAttentionSpec:
    """Read the configuration of a latent attention.

    Raises:
        InputError: When it is not whole.
    """
    path = folder / "config.json"
    config = read_object(path)
    _require_weights(folder)
    width, latents, heads = (required_value(config, key, int, path) for key in ("width", "latents", "heads"))
    return LatentAttentionSpec(width, latents, heads, folder)


def read_dense(folder: Path) -> DenseSpec:
    """Read the configuration of a Dense module.

    Raises:
        InputError: When it is not whole, or adds its input to its output.
    """
    path = folder / "config.json"
    config = read_object(path)
    _require_weights(folder)
    if config.get("use_residual"):
        raise InputError("adds its input to its output, which Cosmith does not do", path=path, field="use_residual")
    return DenseSpec(
        in_features=required_value(config, "in_features", int, path),
        out_features=required_value(config, "out_features", int, path),
        bias=bool(config.get("bias", True)),
        activation=str(config.get("activation_function", DenseSpec.activation)),
        folder=folder,
        reads=str(config.get("module_input_name", DenseSpec.reads)),
    )


def write_spec(folder: Path, spec: ModelSpec, hidden_size: int, versions: Mapping[str, str]) -> list[Path]:
    """Write everything but weights and tokenizer into ``folder``.

    Args:
        folder: An existing folder.
        spec: What to say (``backbone`` is ignored: it stands in the folder itself).
        hidden_size: The width of the backbone's token vectors.
        versions: Library versions to note down.

    Returns:
        The folders in which further weights belong: of the latent attention, if there is one, then of each Dense.
    """
    modules = [("", _CLASSIC + ("StaticEmbedding" if spec.static else "Transformer"))]
    places: list[Path] = []

    def add(kind: str, name: str | None = None) -> Path:
        path = f"{len(modules)}_{kind}"
        modules.append((path, name or _CLASSIC + kind))
        (folder / path).mkdir()
        return folder / path

    if spec.latent_attention is not None:
        places.append(add("LatentAttention", _LATENT_ATTENTION))
        spec.latent_attention.write(places[-1])
    if not spec.static:
        flags = {flag: mode == spec.pooling for flag, mode in _POOLING_FLAGS.items()}
        write_json(
            add("Pooling") / "config.json",
            {"word_embedding_dimension": hidden_size, **flags, "include_prompt": spec.include_prompt},
        )
        lengths = {"max_seq_length": spec.max_length, "do_lower_case": spec.do_lower_case}
        write_json(folder / "sentence_bert_config.json", lengths)
    for part in spec.head:
        if isinstance(part, str):
            add("Normalize")
        else:
            places.append(add("Dense"))
            part.write(places[-1])
    listing = [
        {"idx": index, "name": str(index), "path": path, "type": kind} for index, (path, kind) in enumerate(modules)
    ]
    write_json(folder / "modules.json", listing)
    whole = {
        "__version__": dict(versions),
        "prompts": dict(spec.prompts),
        "default_prompt_name": spec.default_prompt,
        "similarity_fn_name": spec.similarity or "cosine",
    }
    write_json(folder / "config_sentence_transformers.json", whole)
    return places
