"""How many texts are longer than a model reads, and how that is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosmith.data.tokens import RaggedTokens
from cosmith.phrases import counted, share

_AT_ONCE = 100_000


@dataclass(frozen=True)
class Cut:
    """Texts of one kind, and how many of them lose their end.

    Attributes:
        what: What they are, in the plural: ``documents``.
        count: How many are longer than the limit.
        of: How many there are.
        limit: Tokens, special ones included; None where not all of the texts have the same limit.
    """

    what: str
    count: int
    of: int
    limit: int | None

    @classmethod
    def count_in(
        cls, what: str, texts: Sequence[str], tokenize: Callable[[Sequence[str]], RaggedTokens], limit: int
    ) -> Cut:
        """Tokenise texts, some at a time, and count those that are cut."""
        parts = (texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE))
        return cls(what, sum(int(tokenize(part).truncated.sum()) for part in parts), len(texts), limit)

    @classmethod
    def among(cls, what: str, truncated: npt.NDArray[np.bool_], limit: int | None) -> Cut:
        """Of texts that are tokenised already: bool [texts], whether each was cut."""
        return cls(what, int(np.count_nonzero(truncated)), len(truncated), limit)

    def describe(self) -> str:
        """``3,120 of 4,000 documents (78 %) are longer than 256 tokens and are cut``."""
        limit = "their limit" if self.limit is None else counted(self.limit, "token")
        if not self.count:
            return f"none of {self.of:,} {self.what} is longer than {limit}"
        verb = "is" if self.count == 1 else "are"
        part = share(self.count / self.of)
        return f"{self.count:,} of {self.of:,} {self.what} ({part}) {verb} longer than {limit} and {verb} cut"
