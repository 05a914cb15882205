"""Keyed shuffles without memory: a bijection of ``[0, n)`` that is computed, not stored."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_ROUNDS: Final = 6
_LEAST_HALF_BITS: Final = 3  # below 64 places a Feistel network reaches too few of the possible orders


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): a bijection of 64-bit words, element-wise."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def key_of(*numbers: int) -> int:
    """One 64-bit key from several whole numbers; their order matters."""
    key = np.zeros(1, np.uint64)
    for number in numbers:
        key = mix(key ^ np.array([number & 0xFFFFFFFFFFFFFFFF], np.uint64))
    return int(key[0])


def shuffled(places: NDArray[np.int64], size: int, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """What stands at ``places`` of ``range(size)`` after a shuffle that ``keys`` choose.

    A balanced Feistel network over the smallest even number of bits that holds ``size``, with cycle walking for the
    places outside it (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002, section 5). For one
    key it is a bijection of ``[0, size)``, in O(len(places)) memory however large ``size`` is.

    Args:
        places: int64 [n], each in ``[0, size)``.
        size: The number of places.
        keys: uint64 [n], the key of the shuffle that each place belongs to.

    Returns:
        int64 [n], each in ``[0, size)``.
    """
    half = max((int(size - 1).bit_length() + 1) // 2, _LEAST_HALF_BITS)
    shift, mask = np.uint64(half), np.uint64((1 << half) - 1)
    result = places.astype(np.uint64)
    walking = np.arange(len(result))
    while len(walking):
        left, right = result[walking] >> shift, result[walking] & mask
        for turn in range(_ROUNDS):
            left, right = right, left ^ (mix(right ^ mix(keys[walking] + np.uint64(turn))) & mask)
        result[walking] = (left << shift) | right
        walking = walking[result[walking] >= np.uint64(size)]
    return result.astype(np.int64)
