"""Kernels for CuPy arrays: so far the array-API reference, which CuPy runs as it is."""

from mtlreg.kernels.generic import *  # noqa: F403
