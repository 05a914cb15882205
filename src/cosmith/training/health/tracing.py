"""The first operation whose result is not a finite number, and the module in which it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Of these, minus infinity is a fault as well; elsewhere it is how attention and losses mask.
_LOGARITHMS = ("log", "log2", "log10", "log1p", "div", "reciprocal")
_UNWRITTEN = ("empty", "new_empty", "empty_like", "empty_strided", "new_empty_strided", "resize_")


@dataclass(frozen=True)
class Fault:
    """An operation that made a number that is none.

    Attributes:
        operation: Its name, e.g. ``log``.
        module: The dotted name of the module in which it stands; empty outside of any.
        made: ``nan``, ``inf`` or ``-inf``.
        dtype: Of its result.
        inputs_finite: Whether all that went into it were finite numbers, so that it is the origin.
        largest_input: The largest absolute value of its finite inputs.
    """

    operation: str
    module: str
    made: str
    dtype: str
    inputs_finite: bool
    largest_input: float

    def describe(self) -> str:
        """One clause, for people."""
        place = f" in the module `{self.module}`" if self.module else ""
        origin = (
            f" of inputs up to {self.largest_input:.3g}" if self.inputs_finite else " of inputs that hold it already"
        )
        return f"the operation `{self.operation}` ({self.dtype}){place} gave {self.made}{origin}"


class FirstFault(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active in this thread, remembers the first operation with a result that is not finite.

    Attributes:
        fault: What was found.
        module: The name of the module that runs; kept by :func:`naming_modules`.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.fault: Fault | None = None
        self.module = ""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if self.fault is None and name not in _UNWRITTEN:
            for tensor in _floats(result):
                made = _not_finite(tensor, minus=name.rstrip("_") in _LOGARITHMS)
                if made is not None:
                    self.fault = self._fault(name, made, tensor, [args, kwargs])
                    break
        return result

    def _fault(self, name: str, made: str, result: torch.Tensor, inputs: Any) -> Fault:
        given = [tensor for tensor in _floats(inputs) if tensor.numel() and tensor is not result]
        finite = [tensor[torch.isfinite(tensor)] for tensor in given]
        return Fault(
            operation=name.rstrip("_"),
            module=self.module,
            made=made,
            dtype=str(result.dtype).removeprefix("torch."),
            inputs_finite=all(_not_finite(tensor, minus=False) is None for tensor in given),
            largest_input=max((float(part.abs().max()) for part in finite if part.numel()), default=0.0),
        )


@contextmanager
def naming_modules(module: torch.nn.Module, trace: FirstFault) -> Iterator[None]:
    """Inside the block the trace knows which part of ``module`` runs."""
    running: list[str] = []
    hooks = []

    def entering(name: str) -> Any:
        def hook(*_: Any) -> None:
            running.append(name)
            trace.module = name

        return hook

    def leaving(*_: Any) -> None:
        running.pop()
        trace.module = running[-1] if running else ""

    for name, part in module.named_modules():
        hooks += [part.register_forward_pre_hook(entering(name)), part.register_forward_hook(leaving)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _floats(values: Any) -> list[torch.Tensor]:
    leaves = tree_leaves(values)
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]


def _not_finite(tensor: torch.Tensor, *, minus: bool) -> str | None:
    if bool(torch.isnan(tensor).any()):
        return "nan"
    if bool(torch.isposinf(tensor).any()):
        return "inf"
    return "-inf" if minus and bool(torch.isneginf(tensor).any()) else None
