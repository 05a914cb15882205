"""Which differences a test set can show, so that one can tell "no better" from "cannot know"."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.resampling import finite_values

Floats = npt.NDArray[np.float64]


def minimum_detectable_difference(values: npt.ArrayLike, *, power: float = 0.8, level: float = 0.95) -> float:
    """The smallest true difference that these queries would show, so that one can tell "no better" from "cannot know".

    (z of (1 + level) / 2 + z of power) x standard deviation / sqrt(queries), the normal approximation of a paired
    test's power: 2.80 standard errors for a power of 80 % at 95 % (Bloom 1995, "Minimum detectable effects",
    Evaluation Review 19:547-556).

    Args:
        values: The per-query differences of two systems, ``[queries]``, two or more.
        power: How often the difference should be found.
        level: At what confidence.
    """
    differences = finite_values(values, "values")
    if len(differences) < 2:
        raise InputError("needs two queries or more", field="values")
    for name, share in (("power", power), ("level", level)):
        if not 0 < share < 1:
            raise InputError(f"must lie between 0 and 1, got {share}", field=name)
    return detectable_difference([differences], np.ones(1), power=power, level=level) or 0.0


def detectable_difference(
    rows: Sequence[Floats], weights: Floats, *, greatest: float = np.inf, power: float = 0.8, level: float = 0.95
) -> float | None:
    """The minimum detectable difference of a weighted sum of means.

    Args:
        rows: The differences that each mean is of, ``[items]``.
        weights: Of each mean ``[rows]``.
        greatest: The greatest difference that there can be.
        power: As :func:`minimum_detectable_difference`.
        level: As there.

    Returns:
        None where a mean is of fewer than two, all are alike, or it would be above the greatest.
    """
    if min(map(len, rows), default=0) < 2:
        return None
    variances = np.array([row.var(ddof=1) / len(row) for row in rows])
    error = float(np.sqrt(weights**2 @ variances))
    normal = NormalDist()
    found = (normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(power)) * error
    return found if 0 < found <= greatest else None
