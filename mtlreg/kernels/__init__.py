"""Numerical kernels, one file a family in each backend.

``generic`` is the array-API reference, ``cpu`` overrides names of it with Numba, ``gpu`` with CuPy kernels.
`for_array` picks the backend by the type of an array; nothing else in the package imports numba or cupy.
"""

from importlib import import_module

import numpy as np
from array_api_compat import is_cupy_array

__all__ = ["for_array"]


def for_array(a):
    """The kernel namespace for arrays of ``a``'s type."""
    if isinstance(a, np.ndarray):
        return import_module("mtlreg.kernels.cpu")
    if is_cupy_array(a):
        return import_module("mtlreg.kernels.gpu")
    return import_module("mtlreg.kernels.generic")
