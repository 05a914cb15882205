"""Dropout whose random numbers do not dominate a CPU training step.

``torch.nn.Dropout`` draws a 32-bit float per element on the CPU (4.5 ns each, a fifth of a MiniLM training step);
here one 64-bit draw of torch's generator serves four elements with 16 bits each. The drop probability is rounded to
a multiple of 2^-16, and kept values are scaled by the exact inverse of that. The generator is torch's own, so seeds
and saved generator states work as ever; inside :func:`drawn_by` it is one of the thread's own, since threads that
drew from one generator would draw in an order that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token

import torch

_LEVELS = 65536
_TORCHS = (torch.nn.Dropout, torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d, torch.nn.AlphaDropout,
           torch.nn.FeatureAlphaDropout)  # fmt: skip
_generator: ContextVar[torch.Generator | None] = ContextVar("dropout generator", default=None)


@contextmanager
def drawn_by(seed: int) -> Iterator[None]:
    """Seed what dropout on a CPU draws in this thread inside the block."""
    token = _generator.set(torch.Generator().manual_seed(seed))
    try:
        yield
    finally:
        _generator.reset(token)


class _Again:
    """Gives dropout a generator in the state that another one is in now; may be entered several times."""

    def __init__(self, generator: torch.Generator) -> None:
        self._state = generator.get_state()
        self._tokens: list[Token[torch.Generator | None]] = []

    def __enter__(self) -> None:
        self._tokens.append(_generator.set(torch.Generator().set_state(self._state)))

    def __exit__(self, *error: object) -> None:
        _generator.reset(self._tokens.pop())


def drawn_again() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Two contexts: in the second, what dropout draws is what it draws in the first, where :func:`drawn_by` rules.

    For ``context_fn`` of :func:`torch.utils.checkpoint.checkpoint`, which sees to torch's own generators itself.
    """
    generator = _generator.get()
    return nullcontext(), nullcontext() if generator is None else _Again(generator)


def draws_in_threads(module: torch.nn.Module) -> bool:
    """Whether all dropout inside ``module`` obeys :func:`drawn_by`, so that several threads may run it at once."""
    return all(isinstance(part, Dropout) or part.p == 0 for part in module.modules() if isinstance(part, _TORCHS))


def drops(module: torch.nn.Module) -> bool:
    """Whether anything inside ``module`` drops in training: a layer, or the weights of attention."""
    for part in module.modules():
        share = part.p if isinstance(part, _TORCHS) else getattr(part, "attention_dropout", 0.0)
        if isinstance(share, int | float) and share > 0:  # in some models that name is a layer, met by itself
            return True
    return False


def keep_mask(like: torch.Tensor, probability: float) -> torch.Tensor:
    """A random mask to multiply with: 0 with ``probability``, else ``1 / (1 - probability)``.

    Args:
        like: Gives shape, dtype and device.
        probability: The share to drop, in [0, 1).
    """
    if like.device.type != "cpu":
        return torch.empty_like(like).bernoulli_(1 - probability).div_(1 - probability)
    dropped = round(probability * _LEVELS)
    draws = torch.empty((like.numel() + 3) // 4, dtype=torch.int64)
    draws.random_(-(2**63), None, generator=_generator.get())
    levels = draws.view(torch.int16)[: like.numel()].view(like.shape)
    kept = levels.ge_(dropped - _LEVELS // 2).to(like.dtype)
    return kept.mul_(_LEVELS / (_LEVELS - dropped))


class Dropout(torch.nn.Dropout):
    """A drop-in for :class:`torch.nn.Dropout` (Srivastava et al. 2014), the same in distribution."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0.0:
            return input
        if self.p >= 1.0 or input.device.type != "cpu":
            return super().forward(input)
        return input * keep_mask(input, self.p)


def use_fast_dropout(module: torch.nn.Module) -> None:
    """Replace every :class:`torch.nn.Dropout` inside ``module`` (they hold no weights)."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is torch.nn.Dropout:
                setattr(parent, name, Dropout(child.p))
