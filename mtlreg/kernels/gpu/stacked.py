"""Products with rows of tasks on a GPU: CUDA versions of `mtlreg.kernels.generic.stacked`, same names and results.

A kernel works on the rows of all tasks, however unequal, where the reference makes a product for each task. Sums are
in float64 whatever the dtype of the arrays, and in the same order in every run.
"""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from mtlreg.data._tables import is_sparse
from mtlreg.kernels.generic import stacked as generic
from mtlreg.kernels.gpu import _launch

__all__ = ["stacked_adjoint", "stacked_pair_sums", "stacked_product"]

PIECE = 256  # rows of a task added up by one thread for each feature, so that a few tall tasks too fill the GPU
LARGEST = 2**27  # partial sums at a time, a GiB


def stacked_product(stack, A, W):
    """``A_t W_t`` of all tasks, flat; see `mtlreg.kernels.generic.stacked.stacked_product`."""
    if _left_to_libraries(stack, A):
        return generic.stacked_product(stack, A, W)
    xp = array_namespace(W)
    A, W = _of_one_type(xp, A, W)
    eta, (n, size) = xp.empty((stack.offsets[-1],), dtype=A.dtype), A.shape
    tables = stack.known("tables", lambda: _Tables(stack, xp))
    by_column = xp.asarray(xp.permute_dims(W, (1, 0)), order="C")
    if n > 0:
        arguments = [*_launch.strided(A), np.int64(n), np.int32(size), by_column, eta, tables.rows, *tables.tasks]
        _launch.launch("stacked", "multiply_rows", A.dtype, n, arguments)
    return eta


def stacked_adjoint(stack, A, R):
    """``A_t' R_t`` of all tasks, side by side; see `mtlreg.kernels.generic.stacked.stacked_adjoint`."""
    if _left_to_libraries(stack, A):
        return generic.stacked_adjoint(stack, A, R)
    xp = array_namespace(R)
    A, R = _of_one_type(xp, A, R)
    tables = stack.known("tables", lambda: _Tables(stack, xp))
    G, R = xp.empty((A.shape[1], stack.columns[-1]), dtype=A.dtype), xp.asarray(R, order="C")
    step = max(1, LARGEST // max(tables.n_sums, 1))
    for start in range(0, A.shape[1], step):
        _adjoint(xp, tables, A[:, start : start + step], R, G[start : start + step, :])
    return G


def stacked_pair_sums(stack, A, h):
    """`stacked_adjoint` of all products of two columns; see `mtlreg.kernels.generic.stacked.stacked_pair_sums`."""
    xp = array_namespace(h)
    return xp.concat([stacked_adjoint(stack, A * A[:, i : i + 1], h) for i in range(A.shape[1])])


def _adjoint(xp, tables, A, R, G):
    """Write the products with some columns of A into their rows of G."""
    size, n_columns = G.shape
    sums = xp.empty((tables.n_sums, size), dtype=xp.float64)
    pieces = [tables.pieces, tables.firsts, np.int32(PIECE), *tables.tasks, tables.places]
    arguments = [*_launch.strided(A), np.int64(tables.n_pieces), np.int32(size), R, sums, *pieces]
    _launch.launch("stacked", "add_pieces", A.dtype, tables.n_pieces * size, arguments, lanes=1)
    arguments = [sums, G, np.int32(size), np.int64(n_columns), tables.places]
    _launch.launch("stacked", "join_pieces", A.dtype, n_columns * size, arguments, lanes=1)


def _left_to_libraries(stack, A):
    """Whether the matrix products of CuPy do at least as well: cuSPARSE's, or the single one of cuBLAS for even tasks.

    With one column a task that would be products with vectors, which only read A, as the kernels do; and of an A that
    is not contiguous it would make a copy.
    """
    return is_sparse(A) or (stack.even and stack.widths[0] > 1 and A.flags.c_contiguous)


def _of_one_type(xp, A, B):
    dtype = xp.result_type(A.dtype, B.dtype)
    return xp.astype(A, dtype, copy=False), xp.astype(B, dtype, copy=False)


class _Tables:
    """What the kernels look up, where the arrays are: tasks of rows and of pieces, and where these begin."""

    def __init__(self, stack, xp):
        heights = np.diff(stack.starts)
        pieces = np.maximum(-(-heights // PIECE), 1)  # one at least, which writes the zeros of a task without rows
        self.n_pieces, sums = int(pieces.sum()), np.repeat(pieces, stack.widths)
        self.n_sums = int(sums.sum())

        def there(a, dtype=np.int64):
            return xp.asarray(np.asarray(a, dtype=dtype))

        numbers = np.arange(len(heights))
        self.rows, self.pieces = (there(np.repeat(numbers, times), np.int32) for times in (heights, pieces))
        self.firsts, self.places = (there(np.concatenate([[0], np.cumsum(a)])) for a in (pieces, sums))
        self.tasks = [there(a) for a in (stack.starts, stack.columns, stack.offsets)]
