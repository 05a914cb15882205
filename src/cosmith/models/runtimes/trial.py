"""Which of a model's exported forms is the fastest on this machine: tried for half a second, and remembered."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np
import xxhash

from cosmith.atomic import write_json
from cosmith.data.tokens import RaggedTokens
from cosmith.errors import CosmithError, InputError
from cosmith.models.runtimes.description import Variant
from cosmith.models.vector_cache import default_cache_path

_SECONDS = 0.5
"""For all variants together, their loading not counted."""
_TEXTS = ("Where can I find the forms for a change of address?", " ".join(["A sentence of an ordinary length."] * 16))


class Tried(Protocol):
    """An encoder of a variant."""

    def tokenize(self, texts: Sequence[str]) -> RaggedTokens:
        """Texts → tokens."""

    def embed(self, tokens: RaggedTokens) -> np.ndarray:
        """Tokens → vectors."""


@dataclass(frozen=True)
class Trial:
    """How fast the variants of a model are on one core of this machine.

    Attributes:
        milliseconds: Variant → a micro-batch of a few texts, the median of several; None where it does not run here.
        reasons: Variant → why it does not run here.
        remembered: Whether this was measured by an earlier call.
    """

    milliseconds: dict[Variant, float | None]
    reasons: dict[Variant, str]
    remembered: bool = False

    @property
    def fastest(self) -> Variant:
        """The fastest variant.

        Raises:
            InputError: When none runs here.
        """
        speeds = {variant: speed for variant, speed in self.milliseconds.items() if speed is not None}
        if not speeds:
            raise InputError(
                "none of the exported forms runs here (" + "; ".join(self.reasons.values()) + ")", field="runtime",
                remedy='Install a runtime: pip install "cosmith[onnx]"',
            )  # fmt: skip
        return min(speeds, key=lambda variant: speeds[variant])


def try_variants(
    folder: Path,
    variants: Sequence[Variant],
    load: Callable[[Variant], Tried],
    threads: int,
    *,
    providers: Sequence[str] = (),
    again: bool = False,
) -> Trial:
    """Try which variant is the fastest; the outcome is kept in the user's cache folder for this processor, these
    graphs and these releases of the runtimes.

    Args:
        folder: Where they stand.
        variants: To try.
        load: Loads one; raises a :class:`~cosmith.errors.CosmithError` where it does not run here.
        threads: How many threads the encoder will use.
        providers: Of ONNX Runtime, with which ``load`` opens them.
        again: Try them even if that was done before.

    Raises:
        InputError: When they are tried and a file is missing or has changed.
    """
    path = default_cache_path().with_name("runtimes.json")
    key = _key(variants, threads, providers)
    kept = _kept(path).get(key)
    if not again and _is_outcome(kept, variants):
        return _trial({each: kept[each.name] for each in variants}, remembered=True)
    for variant in variants:  # one that was damaged is not one that does not run here
        variant.require_whole(folder)
    found: dict[Variant, float | str] = {}
    for variant in variants:
        try:
            found[variant] = _milliseconds(load(variant), _SECONDS / len(variants))
        except CosmithError as error:
            found[variant] = str(error)
    if any(isinstance(each, float) for each in found.values()):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            outcome = {variant.name: each for variant, each in found.items()}
            write_json(path, _kept(path) | {key: outcome})  # read again: another process may have tried meanwhile
        except OSError:
            pass  # a cache that cannot be written only costs the half-second again
    return _trial(found)


def _trial(found: Mapping[Variant, float | str], *, remembered: bool = False) -> Trial:
    """Of what came of each variant: its milliseconds, or why it does not run here."""
    return Trial(
        {variant: each if isinstance(each, float) else None for variant, each in found.items()},
        {variant: each for variant, each in found.items() if isinstance(each, str)},
        remembered,
    )


def _milliseconds(encoder: Tried, seconds: float) -> float:
    """The median time of a micro-batch; the first one, for which the runtime prepares itself, does not count."""
    tokens = encoder.tokenize([_TEXTS[0]] * 4 + [_TEXTS[1]])
    encoder.embed(tokens)
    times: list[float] = []
    while not times or sum(times) < seconds:
        start = time.perf_counter()
        encoder.embed(tokens)
        times.append(time.perf_counter() - start)
    return 1_000 * float(np.median(times))


def _kept(path: Path) -> dict[str, object]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _is_outcome(kept: object, variants: Sequence[Variant]) -> TypeGuard[dict[str, float | str]]:
    """Whether this is an outcome for just these variants, one of which ran; the file may have been damaged."""
    return (
        isinstance(kept, dict)
        and set(kept) == {each.name for each in variants}
        and all(isinstance(each, str) or (isinstance(each, float) and each > 0) for each in kept.values())
        and any(isinstance(each, float) for each in kept.values())
    )


def _key(variants: Sequence[Variant], threads: int, providers: Sequence[str]) -> str:
    releases = []
    for name in ("onnxruntime", "onnxruntime-gpu", "openvino"):
        try:
            releases.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    said = (_processor(), releases, threads, list(providers), sorted(each.digest for each in variants))
    return xxhash.xxh3_128_hexdigest(repr(said).encode())


def _processor() -> str:
    """The processor and what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    told = {line.partition(":")[0].strip(): line for line in lines}
    return "".join(told.get(name, "") for name in ("model name", "flags", "CPU part", "Features"))
