"""Numerical kernels, one file a family in each backend.

``generic`` is the array-API reference, ``cpu`` overrides names of it with Numba, ``gpu`` with CuPy kernels.
`for_array` picks the backend by the type of an array; nothing else in the package imports numba or cupy.
"""

from functools import cache
from importlib import import_module

import numpy as np
from array_api_compat import is_cupy_array

__all__ = ["for_array"]


def for_array(a):
    """The kernel namespace for arrays of ``a``'s type."""
    if isinstance(a, np.ndarray):
        return _backend("cpu")
    return _backend("gpu" if is_cupy_array(a) else "generic")


@cache
def _backend(name):
    return import_module(f"mtlreg.kernels.{name}")
