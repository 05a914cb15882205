"""Codes by their names."""

from __future__ import annotations

from typing import Literal

import numpy as np

from cosmith.retrieval.compressed.codes import Arrays, Code, FloatCode, Floats, ScaledCode, SignCode
from cosmith.retrieval.compressed.product import ProductCode
from cosmith.retrieval.compressed.rabitq import RaBitQCode

CodeName = Literal["float32", "float16", "int8", "uint8", "binary", "pq", "rabitq"]


def fit_code(name: CodeName, vectors: Floats, *, parts: int | None = None, seed: int = 0) -> Code:
    """The code of a name, fit on ``vectors`` ``[n, D]``; ``parts`` is that of ``pq``.

    Raises:
        InputError: When vectors of this length have no such code, or it needs what is not installed.
    """
    match name:
        case "float32" | "float16":
            return FloatCode(vectors.shape[1], np.dtype(name))
        case "int8" | "uint8":
            return ScaledCode.fit(vectors, name)
        case "binary":
            return SignCode(vectors.shape[1])
        case "rabitq":
            return RaBitQCode.fit(vectors)
        case "pq":
            return ProductCode.fit(vectors, parts or 1, seed=seed)


def code_of(name: CodeName, dimension: int, arrays: Arrays) -> Code:
    """The code that gave these ``arrays()``.

    Raises:
        KeyError, ValueError: When they are not those of such a code.
    """
    match name:
        case "float32" | "float16":
            return FloatCode(dimension, np.dtype(name))
        case "int8" | "uint8":
            return ScaledCode(dimension, float(arrays["scale"][0]), np.dtype(name))
        case "binary":
            return SignCode(dimension)
        case "rabitq":
            return RaBitQCode(np.asarray(arrays["centre"], dtype=np.float32))
        case "pq":
            return ProductCode(np.asarray(arrays["centroids"], dtype=np.float32))
