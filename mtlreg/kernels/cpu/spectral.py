"""Functions of singular values on the CPU: Numba versions of `mtlreg.kernels.generic.spectral`, same names and results.

Decompositions are LAPACK's through NumPy, as they are in the reference.
"""

import numpy as np
from numba import njit

from mtlreg.kernels.generic import spectral as generic
from mtlreg.kernels.generic.spectral import (
    largest_singular_value,
    shrink_singular_values,
    singular_values,
    squared_singular_values,
    thin_svd,
)

__all__ = [
    "box_weights",
    "largest_singular_value",
    "shrink_singular_values",
    "singular_values",
    "squared_singular_values",
    "thin_svd",
]

TINY = generic.TINY


def box_weights(s, total, offset):
    """Weights of the box norm; see `mtlreg.kernels.generic.spectral.box_weights`."""
    weights = np.ascontiguousarray(s, dtype=np.float64) / (s[0] if s[0] > 0 else 1.0)
    _box_weights(weights, float(total), float(offset))
    return weights.astype(s.dtype, copy=False)


@njit(cache=True)
def _box_weights(r, total, offset):
    """Overwrite r, singular values over the largest, with their weights."""
    count = 0
    while count < r.size and r[count] > TINY:
        count += 1
    if count == 0 or total >= count:
        for i in range(r.size):
            r[i] = r[i] if r[i] != r[i] else (1.0 if i < count else 0.0)
        return
    points = np.empty(2 * count)
    for i in range(count):
        points[i] = offset / r[i]
        points[count + i] = (offset + 1.0) / r[i]
    points.sort()
    low, high = 0, 2 * count - 1
    while high - low > 1:
        middle = (low + high) // 2
        filled = 0.0
        for i in range(count):
            filled += min(max(points[middle] * r[i] - offset, 0.0), 1.0)
        if filled <= total:
            low = middle
        else:
            high = middle
    n_full, n_growing, sum_growing = 0, 0, 0.0
    for i in range(count):
        if (offset + 1.0) / r[i] <= points[low]:
            n_full += 1
        elif offset / r[i] <= points[low]:
            n_growing += 1
            sum_growing += r[i]
    x = points[low]
    if n_growing:
        x = (total - n_full + offset * n_growing) / sum_growing
    for i in range(r.size):
        r[i] = min(max(x * r[i] - offset, 0.0), 1.0) if i < count else 0.0
