"""The CUDA kernels, called with NumPy arrays: on a GPU, where there is one, and on the host.

There their sources are compiled as C++, with warps of one lane.
"""

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from mtlreg.kernels import gpu
from mtlreg.kernels.gpu import _launch

TYPES = {np.float64: ctypes.c_double, np.int64: ctypes.c_longlong, np.int32: ctypes.c_int}


@cache
def _library(file):
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    with tempfile.TemporaryDirectory(prefix="mtlreg-cuda-") as folder:
        text, binary = Path(folder) / f"{file}.cpp", Path(folder) / f"{file}.so"
        text.write_text(_launch.source(file))
        command = [compiler, "-std=c++17", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-o", binary, text]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return ctypes.CDLL(str(binary))  # it stays loaded without its file


def launch(file, kernel, dtype, n_rows, arguments, lanes=_launch.LANES):
    """In place of `mtlreg.kernels.gpu._launch.launch`."""
    function = getattr(_library(file), f"{kernel}_{'float' if dtype == np.float32 else 'double'}")
    function.restype = None
    for a in arguments:
        assert not isinstance(a, np.ndarray) or a.flags.c_contiguous
    arguments = _launch.plain(arguments)
    function(
        *(a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else TYPES[type(a)](a) for a in arguments)
    )


class OnHost:
    """`mtlreg.kernels.gpu`, with its kernels called here."""

    def array(self, a):
        """An array as the kernels take it."""
        return a

    def __getattr__(self, name):
        function = getattr(gpu, name)

        def called(*arguments, **settings):
            with patch.object(_launch, "launch", launch):
                return function(*arguments, **settings)

        return called


class OnGPU:
    """`mtlreg.kernels.gpu`, with arrays taken to the GPU and back: the first argument, the others by `array`."""

    def array(self, a):
        """An array as the kernels take it."""
        return cupy_or_skip().asarray(a)

    def __getattr__(self, name):
        function = getattr(gpu, name)

        def called(V, *arguments, **settings):
            result = function(self.array(V) if isinstance(V, np.ndarray) else V, *arguments, **settings)
            return result.get() if hasattr(result, "get") else result

        return called


def has_gpu():
    """Whether CuPy finds a device."""
    try:
        import cupy

        return cupy.cuda.runtime.getDeviceCount() > 0
    except Exception:  # no CuPy, no driver: its own errors exist only where it does
        return False


def cupy_or_skip():
    """CuPy, or the test is skipped."""
    if not has_gpu():
        pytest.skip("needs CuPy and a CUDA device")
    import cupy

    return cupy


on_host, on_gpu = OnHost(), OnGPU()
CUDA = [pytest.param(on_host, id="cuda on the host"), pytest.param(on_gpu, id="cuda", marks=pytest.mark.gpu)]
