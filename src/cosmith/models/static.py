"""Static embeddings: a vector for each token of the vocabulary; a text's is their mean. No context, and very fast.

The layout is sentence-transformers' ``StaticEmbedding``: ``tokenizer.json`` and ``model.safetensors`` in the model's
folder itself. Texts have no special tokens, and one without any token has the vector 0, as there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.models.lengths import UNLIMITED

MODEL_TYPE = "static-embedding"
_WEIGHTS, _TOKENIZER = "model.safetensors", "tokenizer.json"


@dataclass
class StaticConfig:
    """What a static model says of itself where a transformers model has its config."""

    vocab_size: int = 0
    hidden_size: int = 0
    name_or_path: str = ""
    model_type: str = MODEL_TYPE
    max_position_embeddings: int = UNLIMITED

    def to_dict(self) -> dict[str, Any]:
        """All of it but where it came from."""
        return {name: value for name, value in asdict(self).items() if name != "name_or_path"}


class StaticEmbedding(torch.nn.Module):
    """The means of their tokens' vectors.

    Args:
        weights: float32 ``[vocabulary, width]``.
    """

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.config = StaticConfig(len(weights), weights.shape[1])
        self.embedding = torch.nn.Embedding(len(weights), weights.shape[1], device=weights.device)
        with torch.no_grad():
            self.embedding.weight.copy_(weights)

    def get_input_embeddings(self) -> torch.nn.Embedding:
        """The vectors of the tokens."""
        return self.embedding

    def forward(self, tokens: RaggedTokens) -> torch.Tensor:
        """The texts' vectors, float32 ``[len(tokens), width]``."""
        weights = self.embedding.weight
        values = torch.from_numpy(tokens.values.astype(np.int64)).to(weights.device)
        offsets = torch.from_numpy(tokens.offsets).to(weights.device)
        mean: Any = _TokenMean.apply
        vectors: torch.Tensor = mean(weights, values, offsets)
        return vectors


class _TokenMean(torch.autograd.Function):
    """The mean of each text's rows of a table.

    The gradient of the table is the transposed sum: for each token, over the texts that have it. Written as a bag as
    well, with the tokens sorted, it adds up row by row in a fixed order, three times as fast as torch's own.
    """

    @staticmethod
    def forward(ctx: Any, weights: torch.Tensor, values: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(values, offsets)
        ctx.rows = len(weights)
        return torch.nn.functional.embedding_bag(values, weights, offsets[:-1], mode="mean")

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        values, offsets = ctx.saved_tensors
        lengths = offsets.diff()
        text = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
        counts = torch.bincount(values, minlength=ctx.rows)
        shares = gradients[0].float() / lengths.clamp(min=1)[:, None]
        places = text[values.argsort(stable=True)]
        return torch.nn.functional.embedding_bag(places, shares, counts.cumsum(0) - counts, mode="sum"), None, None


def read_static(folder: Path) -> tuple[StaticEmbedding, Any, int | None]:
    """A static model, its tokenizer (as a transformers fast one), and at how many tokens it cuts texts (None: at none).

    Models of model2vec, whose tokens share vectors or have weights, are read, too.

    Raises:
        InputError: When the folder does not hold all of it, or more tokens than vectors.
    """
    import safetensors.torch
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    for name in (_WEIGHTS, _TOKENIZER):
        if not (folder / name).is_file():
            raise InputError(f"has no {name}", path=folder, remedy="Save or fetch the model anew, with safetensors.")
    try:
        found = safetensors.torch.load_file(folder / _WEIGHTS)
        tokenizer: Any = Tokenizer.from_file(str(folder / _TOKENIZER))
    except Exception as error:  # tokenizers raises bare Exceptions
        raise InputError(f"cannot be loaded as a static model ({error})", path=folder,
                         remedy="Save or fetch the model anew.") from error  # fmt: skip
    if "embedding.weight" in found:
        weights = found["embedding.weight"].float()
    elif "embeddings" in found:
        weights = found["embeddings"].float()
        weights = weights[found["mapping"].long()] if "mapping" in found else weights
        weights = weights * found["weights"].float()[:, None] if "weights" in found else weights
    else:
        raise InputError("holds no table of vectors", path=folder / _WEIGHTS, field="embedding.weight",
                         remedy="Save or fetch the model anew.")  # fmt: skip
    if weights.ndim != 2 or tokenizer.get_vocab_size() > len(weights):
        raise InputError(
            f"holds vectors {list(weights.shape)} for {tokenizer.get_vocab_size()} tokens", path=folder / _WEIGHTS,
            remedy="Save or fetch the model anew, with its own tokenizer.",
        )  # fmt: skip
    cut = tokenizer.truncation["max_length"] if tokenizer.truncation else None
    make: Any = PreTrainedTokenizerFast
    return StaticEmbedding(weights), make(tokenizer_object=tokenizer), cut


def write_static(backbone: StaticEmbedding, tokenizer: Any, max_length: int, folder: Path) -> None:
    """Write a static model and its tokenizer, which cuts texts itself if the model does."""
    import safetensors.torch

    weights = backbone.embedding.weight.detach().contiguous()
    safetensors.torch.save_file({"embedding.weight": weights}, folder / _WEIGHTS, metadata={"format": "pt"})
    write_words(tokenizer, max_length, folder)


def write_words(tokenizer: Any, max_length: int, folder: Path) -> None:
    """Write the tokenizer of a static model, which cuts texts itself if the model does."""
    words = type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str())
    words.no_padding()
    words.no_truncation()
    if max_length < UNLIMITED:
        words.enable_truncation(max_length=max_length)
    words.save(str(folder / _TOKENIZER))
