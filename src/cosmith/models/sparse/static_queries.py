"""Queries without a transformer pass: a learnt weight for each token, and a query has those of its tokens.

Only documents are read by the model, when the index is built; a query costs a look at a table (the document encoder of
arXiv:2109.10086, SPLADE-doc, with the weights of arXiv:2411.04403). The module is sentence-transformers'
``SparseStaticEmbedding``: no special tokens, a token that stands twice counts once, tokens beside the vocabulary's
others are zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cosmith.atomic import write_json
from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.models.backbone import quiet_transformers
from cosmith.models.folder import read_object
from cosmith.models.lengths import UNLIMITED
from cosmith.models.tokenization import TextTokenizer
from cosmith.models.weights import save_weights

_TEXTS_AT_ONCE = 10_000


class StaticQueries(torch.nn.Module):
    """The weights of the tokens.

    Args:
        weight: float32 ``[vocabulary]``.
        trained: Whether training changes them.
    """

    def __init__(self, weight: torch.Tensor, *, trained: bool = True) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight, requires_grad=trained)

    def forward(self, tokens: RaggedTokens) -> torch.Tensor:
        """The vectors of some queries, float32 ``[len(tokens), vocabulary]``."""
        device = self.weight.device
        present = torch.zeros(len(tokens), len(self.weight), device=device)
        row = np.repeat(np.arange(len(tokens)), tokens.lengths)
        present[torch.from_numpy(row).to(device), torch.from_numpy(tokens.values.astype(np.int64)).to(device)] = 1.0
        return present * self.weight


def inverse_document_frequencies(texts: Sequence[str], tokenizer: TextTokenizer, vocabulary: int) -> torch.Tensor:
    """How rare each token is among some documents: ln(1 + (N - n + 0.5) / (n + 0.5)), as in BM25 (Robertson and
    Zaragoza 2009, equation 3.3, with Lucene's 1 + that keeps it above zero).

    Args:
        texts: N documents.
        tokenizer: Without special tokens.
        vocabulary: V, how many tokens there are.

    Returns:
        float32 ``[V]``.
    """
    counts: npt.NDArray[np.int64] = np.zeros(vocabulary, dtype=np.int64)
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        tokens = tokenizer(texts[start : start + _TEXTS_AT_ONCE], UNLIMITED)
        text = np.repeat(np.arange(len(tokens)), tokens.lengths)
        counts += np.bincount(np.unique(text * vocabulary + tokens.values) % vocabulary, minlength=vocabulary)
    return torch.from_numpy(np.log1p((len(texts) - counts + 0.5) / (counts + 0.5)).astype(np.float32))


def read_static_queries(folder: Path, vocabulary: int) -> tuple[StaticQueries, Any]:
    """The weights and the transformers tokenizer of a module's folder.

    Raises:
        InputError: When it does not hold both, or they are not as many as the documents' model has words.
    """
    import safetensors.torch
    import transformers

    config = read_object(folder / "config.json")
    try:
        weight = safetensors.torch.load_file(folder / "model.safetensors")["weight"].float()
        with quiet_transformers():
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(f"cannot be loaded as the weights of queries ({reason})", path=folder,
                         remedy="It needs model.safetensors and tokenizer.json.") from error  # fmt: skip
    if weight.shape != (vocabulary,):
        raise InputError(
            f"holds weights {list(weight.shape)} for a vocabulary of {vocabulary}", path=folder / "model.safetensors",
            remedy="Queries and documents must have one vocabulary.",
        )  # fmt: skip
    return StaticQueries(weight, trained=not config.get("frozen", False)), tokenizer


def write_static_queries(queries: StaticQueries, tokenizer: Any, folder: Path) -> None:
    """Write weights and tokenizer into a module's folder."""
    folder.mkdir(parents=True)
    save_weights(queries, folder)
    tokenizer.save_pretrained(folder)
    write_json(folder / "config.json", {"frozen": not queries.weight.requires_grad})
