"""How embeddings lie in their space: spread, effective rank, alignment and uniformity. Plain functions on tensors."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_cosine(vectors: Tensor) -> float:
    """The mean cosine of two different vectors; near 1, all point one way.

    Args:
        vectors: [n, D], unit length, n at least 2.
    """
    count = len(vectors)
    total = float(vectors.sum(0, dtype=torch.float64).square().sum())
    return (total - count) / (count * (count - 1))


def effective_rank(vectors: Tensor) -> float:
    """How many directions the vectors really use: exp of the entropy of their covariance's normalised eigenvalues.

    Between 1 (all on a line) and min(n - 1, D) (all directions alike). Roy and Vetterli, "The effective rank: a
    measure of effective dimensionality" (EUSIPCO 2007), definition 1, with the eigenvalues of the covariance in place
    of singular values, as for a spectrum of variances.

    Args:
        vectors: [n, D]; 0 where all are the same.
    """
    centred = (vectors - vectors.mean(0)).float()
    count, width = centred.shape
    gram = centred.T @ centred if width <= count else centred @ centred.T  # the smaller one: the same eigenvalues
    spectrum = torch.linalg.eigvalsh(gram).clamp(min=0).double()
    total = spectrum.sum()
    if float(total) <= 1e-12 * count:
        return 0.0
    return float(torch.special.entr(spectrum / total).sum().exp())


def alignment(queries: Tensor, positives: Tensor) -> float:
    """The mean squared distance of pairs that belong together: 0 to 4, lower is better.

    Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere" (arXiv:2005.10242), equation 2 with alpha 2.

    Args:
        queries: [n, D], unit length.
        positives: [n, D], the text that belongs to each.
    """
    return float((queries - positives).square().sum(1).mean())


def uniformity(vectors: Tensor) -> float:
    """The logarithm of the mean Gaussian potential of two different vectors: 0 down to -4, lower is more even.

    Wang and Isola (arXiv:2005.10242), equation 3 with t = 2.

    Args:
        vectors: [n, D], unit length, n at least 2; all n x n cosines are held.
    """
    squared = (2 - 2 * vectors @ vectors.T).clamp(min=0)
    count = len(vectors)
    potential = (squared * -2).exp().sum(dtype=torch.float64) - squared.diagonal().mul(-2).exp().sum()
    return float((potential / (count * (count - 1))).log())
