"""Products with a matrix whose rows belong to one task each, and stand task after task.

Task t has the rows A_t and columns W_t of its own. Its predictors ``A_t W_t`` are flat: row after row, in a row column
after column, and those of all tasks one after another.
"""

from __future__ import annotations

import copy

import numpy as np
from array_api_compat import array_namespace

from mtlreg.data._tables import is_sparse, row_chunks, to_numpy

__all__ = ["Stack", "pair_sums", "stacked_adjoint", "stacked_pair_sums", "stacked_product"]


class Stack:
    """Where the rows and columns of every task lie.

    Parameters
    ----------
    starts : sequence of int, length n_tasks + 1
        Task t has the rows ``starts[t]:starts[t + 1]``.
    widths : sequence of int
        Number of columns of each task.
    matrix : array or sparse matrix, default=None
        The one whose blocks are asked for again and again, and so are kept.

    Attributes
    ----------
    offsets, columns : list of int
        Task t has the predictors ``offsets[t]:offsets[t + 1]`` and the columns ``columns[t]:columns[t + 1]`` of W.
    even : bool
        Whether all tasks have as many rows, and as many columns: their products are one then.
    """

    def __init__(self, starts, widths, matrix=None):
        self.starts = [int(s) for s in starts]
        self.widths = [int(w) for w in widths]
        heights = np.diff(self.starts)
        self.offsets = [0, *np.cumsum(heights * self.widths).tolist()]
        self.columns = [0, *np.cumsum(self.widths).tolist()]
        self.even = len({*heights.tolist()}) == len({*self.widths}) == 1
        self._known = {}
        self._keep(matrix)

    def _keep(self, matrix):
        self._matrix, self._kept = matrix, None

    def around(self, matrix):
        """The same for another matrix of these rows."""
        other = copy.copy(self)
        other._keep(matrix)
        return other

    def part(self, tasks, divisor, factor):
        """Some tasks (a slice), with ``width / divisor * factor`` columns each."""

        def made():
            starts = np.array(self.starts[tasks.start : tasks.stop + 1])
            return Stack(starts - starts[0], [w // divisor * factor for w in self.widths[tasks]])

        return self.known(("part", tasks.start, tasks.stop, divisor, factor), made)

    def known(self, name, find):
        """What ``find`` gives, found once for all matrices."""
        if name not in self._known:
            self._known[name] = find()
        return self._known[name]

    def blocks(self, A):
        """The rows of each task."""
        if A is not self._matrix:
            return self._split(A)
        if self._kept is None:
            self._kept = self._split(A)
        return self._kept

    def _split(self, A):
        pairs = list(zip(self.starts, self.starts[1:], strict=False))
        if not is_sparse(A):
            return [A[s:e, :] for s, e in pairs]
        A = A.tocsr()
        blocks, cuts = [], to_numpy(A.indptr)[self.starts].tolist()
        for (s, e), lo, hi in zip(pairs, cuts, cuts[1:], strict=False):
            arrays = (A.data[lo:hi], A.indices[lo:hi], A.indptr[s : e + 1] - lo)
            blocks.append(type(A)(arrays, shape=(e - s, A.shape[1]), copy=False))
        return blocks

    def together(self, A):
        """A as (n_tasks, rows of a task, columns), for tasks of one height."""
        return array_namespace(A).reshape(A, (len(self.widths), self.starts[1], A.shape[1]))


def stacked_product(stack, A, W):
    """``A_t W_t`` of all tasks, flat.

    Parameters
    ----------
    stack : Stack
    A : array or sparse matrix of shape (n_rows, q)
    W : array of shape (q, n_columns)

    Returns
    -------
    array of shape (stack.offsets[-1],)
    """
    xp = array_namespace(W)
    if stack.even and not is_sparse(A):
        by_task = xp.permute_dims(xp.reshape(W, (W.shape[0], len(stack.widths), -1)), (1, 0, 2))
        return xp.reshape(stack.together(A) @ by_task, (-1,))
    pairs = zip(stack.blocks(A), stack.columns, stack.columns[1:], strict=False)
    return xp.concat([xp.reshape(block @ W[:, c:d], (-1,)) for block, c, d in pairs])


def stacked_adjoint(stack, A, R):
    """``A_t' R_t`` of all tasks, side by side.

    Parameters
    ----------
    stack : Stack
    A : array or sparse matrix of shape (n_rows, q)
    R : array of shape (stack.offsets[-1],)

    Returns
    -------
    array of shape (q, n_columns)
    """
    xp = array_namespace(R)
    if stack.even and not is_sparse(A):
        by_task = xp.reshape(R, (len(stack.widths), stack.starts[1], -1))
        sums = xp.permute_dims(stack.together(A), (0, 2, 1)) @ by_task
        return xp.reshape(xp.permute_dims(sums, (1, 0, 2)), (A.shape[1], -1))
    parts = [
        block.T @ xp.reshape(R[s:e], (-1, w))
        for block, s, e, w in zip(stack.blocks(A), stack.offsets, stack.offsets[1:], stack.widths, strict=False)
    ]
    return xp.concat(parts, axis=1)


def stacked_pair_sums(stack, A, h):
    """`stacked_adjoint` of all products of two columns of a dense A: (q^2, n_columns)."""
    xp = array_namespace(h)
    parts = [
        pair_sums(block, xp.reshape(h[s:e], (-1, w)))
        for block, s, e, w in zip(stack.blocks(A), stack.offsets, stack.offsets[1:], stack.widths, strict=False)
    ]
    return xp.concat(parts, axis=1)


def pair_sums(A, h):
    """``sum_i A_ia A_ib h_ic`` as (q^2, columns of h), a chunk of rows at a time."""
    xp = array_namespace(h)
    n, q = A.shape
    total = xp.zeros((q * q, h.shape[1]), dtype=h.dtype)
    for rows in row_chunks(n, q * q):
        block = A[rows, :]
        pairs = xp.reshape(block[:, :, None] * block[:, None, :], (block.shape[0], q * q))
        total = total + pairs.T @ h[rows, :]
    return total
