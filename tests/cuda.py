"""The CUDA kernels, called with NumPy arrays: on a GPU, where there is one, and twice on the host.

There their sources are compiled as C++: with warps of one lane, and with `warps.h`, where they have their 32.
"""

import ctypes
import re
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
WARPS = Path(__file__).with_name("warps.h")
STEPS = ("accelerate", "descend", "extrapolate", "restart", "uphill")
BLOCKS = 2  # on the host, so that warps go on to further rows
PIPED = {"capture_output": True, "text": True}


def kernel_names(text):
    """The kernels of a source text, one for each type."""
    done = subprocess.run([compiler_or_skip(), "-E", "-P", "-D__CUDACC__", "-xc++", "-"], input=text, **PIPED)
    return re.findall(r'extern "C" __global__ void (\w+)\(', done.stdout)


def launch_single_lanes(file, kernel, dtype, n_rows, arguments, lanes=_launch.LANES):
    """In place of `mtlreg.kernels.gpu._launch.launch`: warps of one lane."""
    function = getattr(compiled(_launch.source(file)), _typed(kernel, dtype))
    function.restype = None
    function(*_converted(arguments))


def launch_warps(file, kernel, dtype, n_rows, arguments, lanes=_launch.LANES):
    """In place of `mtlreg.kernels.gpu._launch.launch`: warps of 32 lanes, which must keep together."""
    library = _compiled_for_warps(_launch.source(file))
    address = ctypes.c_void_p.in_dll(library, f"launched_{_typed(kernel, dtype)}").value
    blocks = min(-(-n_rows * lanes // _launch.THREADS), BLOCKS)
    together = ctypes.CFUNCTYPE(ctypes.c_bool)(address)(blocks, _launch.THREADS, *_converted(arguments))
    assert together, f"the lanes of a warp diverged in {kernel}"


def _typed(kernel, dtype):
    return f"{kernel}_{'float' if dtype == np.float32 else 'double'}"


def _converted(arguments):
    for a in arguments:
        assert not isinstance(a, np.ndarray) or a.flags.c_contiguous
    return as_passed(_launch.plain(arguments))


def as_passed(arguments):
    """NumPy arrays and scalars as a compiled kernel takes them."""
    return [ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else TYPES[type(a)](a) for a in arguments]


@cache
def compiled(text, *options):
    """A source text as a library of functions."""
    with tempfile.TemporaryDirectory(prefix="mtlreg-cuda-") as folder:
        binary = Path(folder) / "kernels.so"
        command = [compiler_or_skip(), "-std=c++17", "-O2", "-ffp-contract=off", "-shared", "-fPIC", *options]
        done = subprocess.run([*command, "-o", binary, "-xc++", "-"], input=text, **PIPED)
        assert done.returncode == 0, done.stderr
        return ctypes.CDLL(str(binary))  # it stays loaded without its file


@cache
def _compiled_for_warps(text):
    launched = [f"LAUNCHED({name})" for name in kernel_names(text)]
    return compiled("\n".join([text, *launched]), "-include", str(WARPS), "-U_FORTIFY_SOURCE")


def compiler_or_skip():
    """The C++ compiler, or the test is skipped."""
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    return compiler


class OnHost:
    """`mtlreg.kernels.gpu`, with its kernels called here by a function in place of its own."""

    def __init__(self, launch):
        self.launch = launch

    def array(self, a):
        """An array as the kernels take it."""
        return a

    def __getattr__(self, name):
        function = getattr(gpu, name)

        def called(*arguments, **settings):
            with patch.object(_launch, "launch", self.launch):
                return function(*arguments, **settings)

        return called


class OnGPU:
    """`mtlreg.kernels.gpu`, with arrays taken to the GPU and back."""

    def array(self, a):
        """An array as the kernels take it."""
        return cupy_or_skip().asarray(a)

    def __getattr__(self, name):
        function = getattr(gpu, name)

        def called(*arguments, **settings):
            # all arrays of steps, and behind a loss or a stack, are data; behind other rows only their structure
            # follows, as it is
            data = name in STEPS or not isinstance(arguments[0], np.ndarray)
            moved = len(arguments) if data else 1
            xp = cupy_or_skip()
            taken = [xp.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments[:moved]]
            result = function(*taken, *arguments[moved:], **settings)
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


on_host, on_warps, on_gpu = OnHost(launch_single_lanes), OnHost(launch_warps), OnGPU()
CUDA = [
    pytest.param(on_host, id="cuda on the host"),
    pytest.param(on_warps, id="cuda in warps"),
    pytest.param(on_gpu, id="cuda", marks=pytest.mark.gpu),
]
