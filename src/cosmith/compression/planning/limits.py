"""What may be spent, and what has to be kept."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from cosmith.errors import InputError
from cosmith.phrases import share, size


@dataclass(frozen=True)
class Limits:
    """What may be spent, and what has to be kept; None: any amount.

    Attributes:
        bytes: Of a document's vector, in what is searched.
        finer_bytes: Of a document's finer copy, in what only candidates are looked up in; 0: there shall be none.
        latency: Seconds, the median for one query, encoded and searched.
        memory: Bytes, of the process with the model and of what is searched, for the corpus that was stated.
        keep: The share of the full model's quality.
    """

    bytes: float | None = None
    finer_bytes: float | None = None
    latency: float | None = None
    memory: float | None = None
    keep: float | None = 0.97

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least_is_allowed = name == "finer_bytes"
            if value is not None and not (value > 0 or (least_is_allowed and value == 0)):
                raise InputError(f"must be above 0, got {described(name, value)}", field=name,
                                 remedy="Allow more, or leave it out.")  # fmt: skip
        if self.keep is not None and not self.keep <= 1:
            raise InputError(f"is a share of the full model's quality, got {self.keep:g}", field="keep",
                             remedy="Give a number from 0 to 1, such as 0.97.")  # fmt: skip

    def given(self) -> dict[str, float]:
        """Those that are set, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def excesses(self, taken: dict[str, float]) -> dict[str, float]:
        """How far each limit is broken, as a ratio above 1; of what is kept, the ratio of what should be to what is.

        Args:
            taken: The name of each limit → what is taken, or kept.
        """
        found = {}
        for name, limit in self.given().items():
            ratio = _ratio(limit, taken[name]) if name == "keep" else _ratio(taken[name], limit)
            if ratio > 1:
                found[name] = ratio
        return found

    def to_dict(self) -> dict[str, Any]:
        """As what JSON can hold."""
        return asdict(self)


def _ratio(above: float, below: float) -> float:
    if above <= below:
        return min(1.0, above / below) if below else 1.0
    return above / below if below > 0 else math.inf


def described(name: str, value: float) -> str:
    """An amount of what a limit is set to, in words: ``48 bytes``, ``4.2 ms``, ``610 MB``, ``97.2 %``."""
    match name:
        case "bytes" | "finer_bytes":
            return f"{value:,.0f} bytes"
        case "latency":
            return f"{1000 * value:.2f} ms" if abs(value) >= 1e-5 else f"{1000 * value:g} ms"
        case "memory":
            return size(value)
        case _:
            return share(value)


def broken(name: str, limit: float) -> str:
    """In words, that a limit is broken: ``over 64 bytes``."""
    match name:
        case "keep":
            return f"may keep less than {share(limit)}"
        case "finer_bytes":
            return f"over {limit:,.0f} finer bytes"
        case "latency":
            return f"over {1000 * limit:g} ms"
        case "memory":
            return f"over {size(limit)} of memory"
        case _:
            return f"over {limit:,.0f} bytes"
