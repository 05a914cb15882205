"""A static student in the space of its teacher, before and after its training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from cosmith.errors import InputError
from cosmith.models import Encoder
from cosmith.models.from_vocabulary import inverse_frequency, require_narrower, static_encoder, vectors_of_tokens
from cosmith.models.static import StaticEmbedding
from cosmith.retrieval.compressed.transforms import fit_pca

_UNSEEN = 0.1  # how often a token counts as seen that stands in none of the texts
_ENOUGH = 20_000  # texts from which to tell directions


def static_student(
    teacher: Encoder,
    texts: Sequence[str],
    *,
    smoothing: float = 1e-4,
    max_length: int | None = None,
    name: str | None = None,
) -> Encoder:
    """A static model of the vectors that a teacher gives to each of its tokens by itself, less their mean, weighted by
    smooth inverse frequency in texts: where :func:`cosmith.training.distil` begins.

    Its vectors lie in the teacher's own directions, unlike those of :func:`cosmith.models.distil_static`, so that the
    teacher's vectors of whole texts can be learnt; shorten them afterwards (:func:`shorten_static`).

    Args:
        teacher: Whose tokens and vectors.
        texts: In which tokens are counted, like those that will be encoded.
        smoothing: As of ``distil_static``.
        max_length: Tokens at which texts are cut; None: at none.
        name: What to call it.

    Raises:
        InputError: When the teacher is static itself, or there is no text.
    """
    if teacher.is_static:
        raise InputError(f"{teacher.name} is a static model already", field="model", remedy="Name a transformer.")
    if not texts:
        raise InputError("are none", field="texts", remedy="Give texts like those that will be encoded.")
    vectors = vectors_of_tokens(teacher).double()
    words = teacher.tokenizer.tokenizer
    tokens = static_encoder(vectors.float(), words, None, "counting").tokenize(texts)
    counts = torch.from_numpy(np.bincount(tokens.values, minlength=len(vectors))) + _UNSEEN
    weighted = (vectors - vectors.mean(0)) * inverse_frequency(counts, smoothing)[:, None]
    return static_encoder(weighted.float(), words, max_length, name or f"{teacher.name}-static")


def shorten_static(encoder: Encoder, texts: Sequence[str], dimension: int, *, name: str | None = None) -> Encoder:
    """A static model with fewer numbers a vector: those directions in which its vectors of texts are longest.

    Not centred, since the mean of a text's tokens is to stay the mean of their shorter vectors, and cosines are to be
    kept (Eckart and Young, see :func:`cosmith.retrieval.compressed.transforms.fit_pca`).

    Args:
        encoder: A static model; it is left as it is.
        texts: Like those that will be encoded; the first 20,000 are taken.
        dimension: Numbers of a vector.
        name: What to call it; None: as the other one.

    Raises:
        InputError: When the model is not static, or has fewer dimensions.
    """
    backbone = encoder.module["backbone"]
    if not isinstance(backbone, StaticEmbedding):
        raise InputError(f"{encoder.name} is no static model", field="model", remedy="Name one.")
    require_narrower(dimension, encoder)
    table = backbone.embedding.weight.detach()
    if dimension < encoder.dimension:
        directions = fit_pca(encoder.encode(texts[:_ENOUGH]), dimension).matrix
        table = table @ torch.from_numpy(directions).to(table.device)
    max_length = encoder.spec.max_length
    return static_encoder(table, encoder.tokenizer.tokenizer, max_length, name or encoder.name).to(encoder.device)
