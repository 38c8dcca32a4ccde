"""Rows with one task each, arranged by task for the layers that every task has of its own: (tasks, rows of one, units).

All tasks have as many slots as the one with the most rows; a slot that is left over holds the first row, and no
gradient arrives there.
"""

from __future__ import annotations

import numpy as np

__all__ = ["Slots", "part", "placed"]

MOST = 8  # slots a row; small batches of many tasks have up to five


class Slots:
    """Where each row of a batch stands.

    Parameters
    ----------
    xp : namespace
    tasks, code, counts : ndarrays of int (P,), (B,), (P,)
        The tasks that have a row, the position of each row's among them, and their numbers of rows; see `of`.

    Attributes
    ----------
    tasks : ndarray (P,)
        Ascending.
    rows : ndarray (P, M)
        The row in each slot.
    """

    @classmethod
    def of(cls, xp, task):
        """The slots of rows of these tasks, (B,); None where one has so many that most slots would be left over."""
        tasks, code, counts = np.unique(task, return_inverse=True, return_counts=True)
        return cls(xp, tasks, code, counts) if len(tasks) * counts.max() <= MOST * len(task) else None

    def __init__(self, xp, tasks, code, counts):
        self.tasks, order = tasks, np.argsort(code, kind="stable")
        within = np.arange(len(code)) - np.repeat(np.cumsum(counts) - counts, counts)
        self.rows, self._filled = np.zeros((2, len(counts), counts.max()), dtype=np.int64)
        self.rows[code[order], within], self._filled[code[order], within] = order, 1
        slot = np.empty(len(code), dtype=np.int64)
        slot[order] = within
        self._xp, self._slot, self._flat = xp, xp.asarray(slot), xp.asarray(code * counts.max() + slot)

    def gather(self, A):
        """(B, d) as (P, M, d)."""
        xp = self._xp
        return xp.reshape(xp.take(A, xp.asarray(self.rows.ravel()), axis=0), (*self.rows.shape, -1))

    def scatter(self, G):
        """The adjoint of `gather`, of gradients that are zero where no row stands."""
        xp = self._xp
        return xp.take(xp.reshape(G, (-1, G.shape[-1])), self._flat, axis=0)

    def outputs(self, out):
        """What the heads say, (columns, M), by rows: (B, columns). Of a row only its task's columns mean something."""
        xp = self._xp
        return xp.take(xp.matrix_transpose(out), self._slot, axis=0)

    def by_column(self, D, columns, holder):
        """Gradients (B, C) of some columns in the slots of their tasks, at positions ``holder``: (columns, M)."""
        xp = self._xp
        at = xp.asarray((self.rows[holder] * D.shape[1] + columns[:, None]).ravel())
        filled = xp.asarray(self._filled[holder], dtype=D.dtype)
        return xp.reshape(xp.take(xp.reshape(D, (-1,)), at), filled.shape) * filled


def part(xp, A, at, axis=0):
    """Some entries along an axis (a NumPy array of positions; None: all)."""
    return A if at is None else xp.take(A, xp.asarray(at), axis=axis)


def placed(xp, G, at, size):
    """The adjoint of `part` along the first axis: ``size`` entries, zero but at these positions."""
    if at is None:
        return G
    where = np.full(size, len(at))
    where[at] = np.arange(len(at))
    padded = xp.concat([G, xp.zeros((1, *G.shape[1:]), dtype=G.dtype)])
    return xp.take(padded, xp.asarray(where), axis=0)
