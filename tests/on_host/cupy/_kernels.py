"""CUDA sources, compiled and called as the tests of kernels do it."""

import numpy as np
from cuda import as_passed, compiled

from cupy._ndarray import counts, ndarray, unwrap

__all__ = ["RawModule"]


class RawModule:
    """A source compiled as C++; with warps of one lane a launch is a call."""

    def __init__(self, code, options=()):
        self.library = compiled(code, "-O0")  # tests' arrays are small: most of their time would go to the compiler

    def get_function(self, name):
        """What launches a kernel."""
        kernel = getattr(self.library, name)
        kernel.restype = None

        def launch(grid, block, arguments):
            counts.launches += 1
            _check_strides(arguments)
            kernel(*as_passed([unwrap(a) for a in arguments]))

        return launch


def _check_strides(arguments):
    """A kernel is given an array's first entry: the array must be contiguous, or its steps must follow it."""
    for at, a in enumerate(arguments):
        if isinstance(a, ndarray) and not a.flags.c_contiguous:
            steps = [np.int64(step // a.itemsize) for step in a.strides]
            assert list(arguments[at + 1 : at + 1 + a.ndim]) == steps
