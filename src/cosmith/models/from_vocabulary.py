"""Static models to start from: random vectors for a tokenizer's tokens, or those that a trained model gives them."""

from __future__ import annotations

from typing import Any

import torch

from cosmith.errors import InputError
from cosmith.models.batching import micro_batches
from cosmith.models.encoder import Encoder
from cosmith.models.folder import ModelSpec
from cosmith.models.inference import CPU_TOKENS, in_evaluation_mode
from cosmith.models.static import StaticEmbedding
from cosmith.models.tokenization import TextTokenizer
from cosmith.progress import track


def initialise_static(
    tokenizer: Any, *, dimension: int = 256, max_length: int | None = None, seed: int = 0, name: str = "static"
) -> Encoder:
    """A static model with random vectors, to be trained with a high learning rate (about 0.1).

    Args:
        tokenizer: A transformers fast tokenizer, e.g. from :func:`~cosmith.models.train_tokenizer`.
        dimension: Numbers of a vector.
        max_length: Tokens at which texts are cut; None: at none.
        seed: Seeds the vectors, which are standard normal.
        name: What to call it.
    """
    if dimension < 1:
        raise InputError(f"is {dimension}", field="dimension", remedy="Give 1 or more.")
    generator = torch.Generator().manual_seed(seed)
    return static_encoder(torch.randn(len(tokenizer), dimension, generator=generator), tokenizer, max_length, name)


def distil_static(
    encoder: Encoder,
    *,
    dimension: int = 256,
    smoothing: float = 1e-4,
    max_length: int | None = None,
    name: str | None = None,
) -> Encoder:
    """A static model whose vectors are those that another model gives to each of its tokens by itself.

    As model2vec makes them (Tulkens and van Dongen 2024): principal components of the vectors, weighted by smooth
    inverse frequency a / (a + p(token)) (Arora et al., "A Simple but Tough-to-Beat Baseline for Sentence Embeddings",
    section 3), with frequencies by Zipf's law from the order of the vocabulary, p proportional to 1 / (rank + 1).

    Args:
        encoder: Whose tokens and vectors.
        dimension: How many principal components; at most the encoder's dimension.
        smoothing: a; smaller: frequent tokens count less.
        max_length: Tokens at which texts are cut; None: at none.
        name: What to call it.

    Raises:
        InputError: When the encoder has fewer dimensions.
    """
    require_narrower(dimension, encoder)
    vectors = principal_components(vectors_of_tokens(encoder).double(), dimension)
    by_rank = 1 / torch.arange(2, len(vectors) + 2, dtype=torch.float64)
    made = (vectors * inverse_frequency(by_rank, smoothing)[:, None]).float()
    return static_encoder(made, encoder.tokenizer.tokenizer, max_length, name or f"{encoder.name}-static")


def principal_components(vectors: torch.Tensor, dimension: int) -> torch.Tensor:
    """Centred vectors ``[n, D]`` on the ``dimension`` axes along which they vary most, ``[n, dimension]``.

    The sign of an axis is chosen so that its largest entry is positive.
    """
    centred = vectors - vectors.mean(0)
    axes = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, :dimension]
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    on_axes: torch.Tensor = centred @ (axes * largest.sign())
    return on_axes


def require_narrower(dimension: int, encoder: Encoder) -> None:
    """Refuse vectors longer than a model's.

    Raises:
        InputError: They are, or have no number at all.
    """
    if not 1 <= dimension <= encoder.dimension:
        raise InputError(f"{dimension} is not between 1 and the model's {encoder.dimension}", field="dimension",
                         remedy="Ask for fewer.")  # fmt: skip


def inverse_frequency(counts: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Smooth inverse frequency (Arora et al., section 3): a / (a + p) of each token, float64 ``[vocabulary]``.

    Args:
        counts: How frequent each token is, to any scale, ``[vocabulary]``.
        smoothing: a.

    Raises:
        InputError: When that is not above 0.
    """
    if not smoothing > 0:
        raise InputError(f"must be above 0, not {smoothing}", field="smoothing")
    return smoothing / (smoothing + counts.double() / counts.double().sum())


def vectors_of_tokens(encoder: Encoder) -> torch.Tensor:
    """The vector of every token by itself, as the model's modules leave it: float32 ``[vocabulary, D]``."""
    tokens = encoder.tokenizer.vocabulary()
    vectors = torch.empty(len(tokens), encoder.dimension)
    with (
        in_evaluation_mode(encoder.module),
        torch.inference_mode(),
        encoder.compute_in(),
        track("Encoding the vocabulary", len(tokens), "tokens") as bar,
    ):
        for batch in micro_batches(tokens.lengths, CPU_TOKENS):
            vectors[torch.from_numpy(batch)] = encoder.embed(tokens.take(batch), normalize=False).cpu()
            bar.advance(len(batch))
    return vectors


def static_encoder(weights: torch.Tensor, tokenizer: Any, max_length: int | None, name: str) -> Encoder:
    """A static model of the vectors of a tokenizer's tokens ``[vocabulary, width]``; ``max_length`` None: texts are not
    cut."""
    words = TextTokenizer(tokenizer, special_tokens=False)
    spec = ModelSpec("mean", ("normalize",), max_length=max_length, static=True)
    return Encoder(StaticEmbedding(weights), words, spec, name=name)
