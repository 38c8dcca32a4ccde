"""Runs the CUDA kernels whose sources lie beside this file; each file is compiled when a kernel of it is first called.

``KERNEL name_double`` and ``name_float`` are two versions of one text; numbers are passed as the types it declares.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

__all__ = ["FILES", "launch", "plain", "source", "strided"]

FILES = ("fuse", "groups", "losses", "rows", "stacked", "steps")
THREADS = 128  # of a block
BLOCKS = 2**16  # at most; threads go on to further rows
LANES = 32  # threads of a warp


def source(name):
    """The text of a file, with what all of them have in common in front."""
    here = Path(__file__).parent
    return "\n".join((here / file).read_text() for file in ("common.cuh", f"{name}.cu"))


class Strided:
    """A matrix that a kernel reads by its strides: what it is given need not be contiguous."""

    def __init__(self, array):
        self.array = array


def strided(A):
    """A matrix as three arguments: the first entry, and the steps down and across, in entries."""
    return [Strided(A), *(np.int64(step // A.itemsize) for step in A.strides)]


def launch(file, kernel, dtype, n_rows, arguments, lanes=LANES):
    """Run a kernel over rows, ``lanes`` threads for each: 32 or 1, as the kernel is written.

    Parameters
    ----------
    file, kernel : str
    dtype : dtype
        float32 or float64: of the arrays that have the kernel's own type.
    n_rows : int
    arguments : sequence of contiguous arrays, `strided` ones and NumPy scalars
    lanes : int
    """
    import cupy

    name = f"{kernel}_{'float' if dtype == np.float32 else 'double'}"
    blocks = min(-(-n_rows * lanes // THREADS), BLOCKS)
    _module(file, cupy.cuda.Device().id).get_function(name)((blocks,), (THREADS,), tuple(plain(arguments)))


def plain(arguments):
    """Arguments as CuPy takes them, which passes an array's first entry."""
    return [a.array if isinstance(a, Strided) else a for a in arguments]


@cache
def _module(file, device):
    """The compiled file; a device has its own."""
    import cupy

    return cupy.RawModule(code=source(file), options=("-std=c++17",))
