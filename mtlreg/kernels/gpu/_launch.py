"""Runs the CUDA kernels whose sources lie beside this file; each file is compiled when a kernel of it is first called.

``KERNEL name_double`` and ``name_float`` are two versions of one text; numbers are passed as the types it declares.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

__all__ = ["FILES", "launch", "source"]

FILES = ("fuse", "groups", "losses", "rows", "steps")
THREADS = 128  # of a block
BLOCKS = 2**16  # at most; threads go on to further rows
LANES = 32  # threads of a warp


def source(name):
    """The text of a file, with what all of them have in common in front."""
    here = Path(__file__).parent
    return "\n".join((here / file).read_text() for file in ("common.cuh", f"{name}.cu"))


def launch(file, kernel, dtype, n_rows, arguments, lanes=LANES):
    """Run a kernel over rows, ``lanes`` threads for each: 32 or 1, as the kernel is written.

    Parameters
    ----------
    file, kernel : str
    dtype : dtype
        float32 or float64: of the arrays that have the kernel's own type.
    n_rows : int
    arguments : sequence of arrays and NumPy scalars
    lanes : int
    """
    import cupy

    name = f"{kernel}_{'float' if dtype == np.float32 else 'double'}"
    blocks = min(-(-n_rows * lanes // THREADS), BLOCKS)
    _module(file, cupy.cuda.Device().id).get_function(name)((blocks,), (THREADS,), tuple(arguments))


@cache
def _module(file, device):
    """The compiled file; a device has its own."""
    import cupy

    return cupy.RawModule(code=source(file), options=("-std=c++17",))
