"""A stand-in for CuPy made of NumPy, for tests on machines without a GPU: first on the path it is what they import.

It refuses what CuPy refuses (NumPy's arrays beside its own, conversions that are not asked for), calls the kernels with
one lane a warp, and has in `counts` what a GPU would have been waited for. Functions that neither array_api_compat nor
mtlreg uses are not there.
"""

from types import SimpleNamespace

import numpy as _np

from cupy import cuda, fft, linalg
from cupy._kernels import RawModule
from cupy._ndarray import counts, ndarray
from cupy._ndarray import function as _function
from cupy._ndarray import unwrap as _unwrap
from cupy._ndarray import wrap as _wrap

__all__ = ["RawModule", "array", "asarray", "counts", "cuda", "fft", "linalg", "ndarray", "repeat", "take"]

_AS_THEY_ARE = """
bool_ can_cast complex64 complex128 complexfloating dtype e finfo float32 float64 floating generic iinfo inexact inf
int8 int16 int32 int64 integer intp issubdtype nan newaxis number pi promote_types signedinteger uint8 uint16 uint32
uint64 unsignedinteger
"""
_FUNCTIONS = """
abs absolute add all any arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argsort broadcast_arrays
broadcast_shapes broadcast_to ceil clip concatenate conj count_nonzero cumprod cumsum diagonal empty empty_like equal
exp expand_dims expm1 eye flip floor full full_like greater invert isfinite isin isinf isnan left_shift less linspace
log log1p logical_and logical_not logical_or matmul max maximum mean meshgrid min minimum moveaxis ndim nonzero ones
ones_like outer power reshape result_type right_shift round searchsorted sign sort sqrt stack std sum swapaxes
take_along_axis tanh tensordot trace transpose trunc unique var where zeros zeros_like
"""

globals().update({name: getattr(_np, name) for name in _AS_THEY_ARE.split()})
globals().update({name: _function(_np, name) for name in _FUNCTIONS.split()})
__all__ += [*_AS_THEY_ARE.split(), *_FUNCTIONS.split()]


def array(obj, dtype=None, copy=True, order="K"):
    """An array there; what is on the host is copied."""
    there = isinstance(obj, ndarray)
    source = obj if isinstance(obj, _np.ndarray) else _unwrap(obj)
    made = _np.array(source, dtype, copy=copy or not there or None, order=order)
    return obj if there and made is source else _wrap(made)


def asarray(a, dtype=None, order="K"):
    """The array itself if it is there already, and as it should be."""
    return array(a, dtype, copy=False, order=order)


def take(a, indices, axis=None):
    """Entries at indices, which may be NumPy's."""
    return a.take(indices, axis)


def repeat(a, repeats, axis=None):
    """Entries repeated; the numbers of times must be known on the host."""
    if isinstance(repeats, ndarray):
        raise ValueError("cupy.ndarray cannot be specified as `repeats` argument.")
    return _wrap(_np.repeat(_unwrap(a), repeats, axis))


def get_default_memory_pool():
    """A pool with nothing in it."""
    return SimpleNamespace(free_bytes=lambda: 0)
