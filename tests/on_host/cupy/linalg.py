"""`numpy.linalg` on arrays of the stand-in."""

import numpy as _np
from numpy.linalg import LinAlgError

from cupy._ndarray import function as _function

_FUNCTIONS = "cholesky eigh eigvalsh lstsq norm pinv qr slogdet svd"
globals().update({name: _function(_np.linalg, name) for name in _FUNCTIONS.split()})
__all__ = ["LinAlgError", *_FUNCTIONS.split()]
