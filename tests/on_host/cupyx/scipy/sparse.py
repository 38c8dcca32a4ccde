"""Sparse matrices on the arrays of the stand-in for CuPy."""

import cupy
from cupy._ndarray import unwrap, wrap
from stand_in import compressed

csr_matrix, csc_matrix, issparse = compressed(cupy.ndarray, wrap, unwrap)
