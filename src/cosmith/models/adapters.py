"""LoRA and DoRA: a few trained numbers beside frozen weights, kept apart or merged into them (through ``peft``)."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import xxhash

from cosmith.atomic import write_json
from cosmith.errors import InputError
from cosmith.models.dropout import use_fast_dropout
from cosmith.models.layers import layers_of

AdapterKind = Literal["lora", "dora"]
ADAPTER_CONFIG = "adapter_config.json"
_WEIGHTS, _BASE = "adapter_model.safetensors", "adapter_base.json"


@dataclass(frozen=True)
class AdapterSpec:
    """An adapter: W x + alpha / rank * B A x (LoRA, Hu et al., arXiv:2106.09685, equation 3).

    Attributes:
        kind: ``lora``; or ``dora``, which trains the norm of each column of W besides (Liu et al., arXiv:2402.09353).
        rank: Rows of A and columns of B.
        alpha: The scale.
        dropout: Share of the adapter's input that is dropped in training.
        targets: The linear layers that get one, by the ends of their names, e.g. ``("q_proj", "v_proj")``; empty: all
            of the transformer layers.
    """

    kind: AdapterKind = "lora"
    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ()


def add_adapter(backbone: Any, spec: AdapterSpec, *, seed: int = 0) -> None:
    """Freeze a backbone and put an adapter beside its weights; an untrained one changes nothing.

    Args:
        backbone: A transformers model; changed in place.
        spec: Which.
        seed: Seeds A; B begins at zero.

    Raises:
        InputError: When peft is not installed, the backbone has an adapter, or a target names no linear layer.
    """
    _require_peft()
    import peft

    if has_adapter(backbone):
        raise InputError("the model has an adapter already", field="adapter", remedy="Merge it first, or train it on.")
    linear = require_adapter_targets(backbone, spec.targets)
    config = peft.LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,  # type: ignore[arg-type]
        lora_dropout=spec.dropout,
        use_dora=spec.kind == "dora",
        target_modules=sorted(spec.targets or linear),
        base_model_name_or_path=backbone.config.name_or_path,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _inject(config, backbone)


def require_adapter_targets(backbone: Any, targets: Sequence[str]) -> Mapping[str, torch.nn.Linear]:
    """The linear layers of a backbone's transformer layers, by their names within one.

    Args:
        backbone: A transformers model.
        targets: Ends of the names of those that are to get an adapter.

    Raises:
        InputError: A target is the end of none of them.
    """
    linear = {
        name: module for layer in layers_of(backbone) for name, module in layer.named_modules()
        if isinstance(module, torch.nn.Linear)
    }  # fmt: skip
    for target in targets:
        if not any(f".{name}".endswith(f".{target}") for name in linear):
            raise InputError(f"no linear layer is named {target!r}", field="adapter_targets",
                             remedy=f"There are {', '.join(sorted(linear))}.")  # fmt: skip
    return linear


def _inject(config: Any, backbone: Any) -> None:
    import peft

    peft.inject_adapter_in_model(config, backbone)
    use_fast_dropout(backbone)


def has_adapter(backbone: Any) -> bool:
    """Whether a backbone has an adapter that is not merged."""
    return next(_adapted(backbone), None) is not None


def refuse_adapter(backbone: Any, what: str) -> None:
    """Models that are not saved as an adapter beside another model's folder are saved merged.

    Raises:
        InputError: When there is an adapter.
    """
    if has_adapter(backbone):
        raise InputError(f"the adapter of {what} cannot be saved by itself", field="adapter",
                         remedy="Merge it: train with merge_adapter=True.")  # fmt: skip


def _adapted(backbone: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    """The layers that an adapter stands beside, with their names."""
    if importlib.util.find_spec("peft") is None or not hasattr(backbone, "peft_config"):
        return
    from peft.tuners.tuners_utils import BaseTunerLayer

    yield from ((name, module) for name, module in backbone.named_modules() if isinstance(module, BaseTunerLayer))


def merge_adapter(backbone: Any) -> None:
    """Add an adapter to the weights that it stands beside, and leave an ordinary backbone, no longer frozen."""
    for name, module in list(_adapted(backbone)):
        module.merge()
        parent, _, last = name.rpartition(".")
        setattr(backbone.get_submodule(parent), last, module.get_base_layer())
    if hasattr(backbone, "peft_config"):
        del backbone.peft_config
        backbone.config.name_or_path = ""  # it is no longer the model that was loaded
    backbone.requires_grad_(True)


def save_adapter(backbone: Any, folder: Path) -> None:
    """Write the adapter alone, in peft's layout, with the name and a hash of the model that it belongs to.

    Raises:
        InputError: When that model stands nowhere.
    """
    import peft
    import safetensors.torch

    base = backbone.peft_config["default"].base_model_name_or_path
    if not base:
        raise InputError(
            "the model that the adapter was trained beside is not saved anywhere, so the adapter alone would be lost",
            field="adapter", remedy="Save that model and load it before training, or merge the adapter.",
        )  # fmt: skip
    causal = getattr(backbone.config, "is_causal", None)
    write_json(folder / _BASE, {"model": base, "weights": _frozen_hash(backbone), "is_causal": causal})
    weights = peft.get_peft_model_state_dict(backbone)
    weights = {name: value.detach().contiguous() for name, value in weights.items()}
    safetensors.torch.save_file(weights, folder / _WEIGHTS, metadata={"format": "pt"})
    config = backbone.peft_config["default"]
    config.inference_mode, mode = True, config.inference_mode
    try:
        config.save_pretrained(str(folder))
    finally:
        config.inference_mode = mode


def base_of(folder: Path) -> str | None:
    """The model that the adapter in a folder belongs to; None where there is no adapter.

    Raises:
        InputError: When it does not say.
    """
    path = folder / ADAPTER_CONFIG
    if not path.is_file():
        return None
    try:
        base = json.loads(path.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (ValueError, LookupError, TypeError) as error:
        raise InputError("does not say which model it belongs to", path=path,
                         remedy="Save or fetch the adapter anew.") from error  # fmt: skip
    if not isinstance(base, str) or not base:
        raise InputError("does not say which model it belongs to", path=path, field="base_model_name_or_path",
                         remedy="Write the name or folder of that model there.")  # fmt: skip
    return base


def load_adapter(backbone: Any, folder: Path) -> None:
    """Put the adapter that stands in a folder beside a backbone's weights.

    Raises:
        InputError: When peft is not installed, it is no LoRA or DoRA, or does not fit the backbone.
    """
    _require_peft()
    import peft
    import safetensors.torch

    path = folder / _WEIGHTS
    try:
        config = peft.PeftConfig.from_pretrained(str(folder))
        weights = safetensors.torch.load_file(path)
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise InputError(f"holds no whole adapter ({error})", path=folder,
                         remedy=f"It needs {ADAPTER_CONFIG} and {_WEIGHTS}.") from error  # fmt: skip
    if not isinstance(config, peft.LoraConfig):
        raise InputError(f"is an adapter of type {config.peft_type}", path=folder, remedy="Known: LoRA, DoRA.")
    if (folder / _BASE).is_file():
        said = json.loads((folder / _BASE).read_text(encoding="utf-8"))
        if said["weights"] != _frozen_hash(backbone):
            raise InputError(
                f"was trained beside other weights than {config.base_model_name_or_path} has now", path=folder,
                remedy="Bring that model back, or train the adapter anew.",
            )  # fmt: skip
        if said["is_causal"] is not None:
            backbone.config.is_causal = said["is_causal"]
    config.inference_mode = False
    _inject(config, backbone)
    expected = {name: value.shape for name, value in peft.get_peft_model_state_dict(backbone).items()}
    if expected != {name: value.shape for name, value in weights.items()}:
        raise InputError("holds an adapter that does not fit the model it names", path=path,
                         remedy="Load it with the model that it was trained beside.")  # fmt: skip
    peft.set_peft_model_state_dict(backbone, weights)


def _frozen_hash(backbone: torch.nn.Module) -> str:
    """A hash of the weights beside which an adapter stands."""
    digest = xxhash.xxh3_128()
    for name, value in sorted(backbone.state_dict().items()):
        if ".lora_" not in name:
            digest.update(name.replace(".base_layer.", ".").encode())
            digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


def _require_peft() -> None:
    if importlib.util.find_spec("peft") is None:
        raise InputError("needs the package peft", field="adapter", remedy='Run: pip install "cosmith[adapters]"')
