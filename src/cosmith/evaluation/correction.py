"""The p-values of several tests, corrected for having been made together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError


def holm(p_values: npt.ArrayLike) -> list[float]:
    """Adjust p-values for having been tested together (Holm 1979, Scandinavian Journal of Statistics 6:65-70).

    With the m values ascending, the i-th (from 1) becomes the largest of (m - j + 1) p_j over j <= i, at most 1. Of
    those at or below a level, the chance that even one is there by chance alone is at most that level, however the
    tests depend on each other.

    Args:
        p_values: ``[tests]``, each between 0 and 1.

    Returns:
        The adjusted ones in the order given.

    Raises:
        InputError: When a value is none.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise InputError("must be values between 0 and 1", field="p_values")
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)).clip(max=1.0)
    adjusted = np.empty_like(values)
    adjusted[order] = stepped
    return [float(value) for value in adjusted]
