"""The labelled rows of both doors, a batch at a time."""

from __future__ import annotations

import numpy as np

from mtlreg.task_losses import Segment, TaskLosses
from mtlreg.validation import is_sparse

__all__ = ["Rows", "task_losses"]


def task_losses(targets):
    """The losses of all tasks side by side, whichever the door."""
    segments, label, column = [], 0, 0
    for t, target in enumerate(targets):
        n_labels, n_columns = target.labels.shape[1], target.width
        labels, columns = slice(label, label + n_labels), slice(column, column + n_columns)
        last = segments[-1] if segments else None
        alike = last is not None and type(last.loss) is type(target.loss) and vars(last.loss) == vars(target.loss)
        if alike and last.n_columns == target.n_columns:
            last.tasks = slice(last.tasks.start, t + 1)
            last.labels = slice(last.labels.start, labels.stop)
            last.columns = slice(last.columns.start, columns.stop)
        else:
            segments.append(Segment(target.loss, target.n_columns, slice(t, t + 1), labels, columns))
        label, column = labels.stop, columns.stop
    return TaskLosses(segments)


class Rows:
    """Rows of X with the labels of all tasks and their weights, which sum to one over each task.

    Parameters
    ----------
    table : Table
    targets : list of Target
    xp : namespace
        Of the batches' arrays.
    shift, scale : ndarray (n_features,) or None
        Batches hold ``(X - shift) * scale``.

    Attributes
    ----------
    first : ndarray (n_tasks + 1,)
        The label column at which each task's begin.
    totals : ndarray (n_tasks,)
        Weight of the labels of each task.
    labelled : list of ndarray
        Positions of the rows with a label of each task.
    shares : list of ndarray
        Weights of those.
    complete : bool
        Whether every row has the labels of all tasks.
    """

    def __init__(self, table, targets, xp, shift=None, scale=None):
        self.xp, self.dtype, self.stacked = xp, table.X.dtype, table.stacked
        self.X = table.X.tocsr() if is_sparse(table.X) else table.X
        if type(self.X) is np.ndarray:  # rows are taken all the time; what is memory-mapped stays where it is
            self.X = np.ascontiguousarray(self.X)
        self.shift, self.scale = (None if a is None else xp.asarray(a, dtype=self.dtype) for a in (shift, scale))
        widths = np.array([target.labels.shape[1] for target in targets])
        self.first, self.n_tasks = np.concatenate([[0], np.cumsum(widths)]), len(targets)
        self.totals = np.array([target.weights.sum(dtype=np.float64) for target in targets])
        weights = [t.weights / (total if total > 0 else 1.0) for t, total in zip(targets, self.totals, strict=True)]
        starts = table.starts[:-1] if self.stacked else [0] * self.n_tasks
        inside = [np.flatnonzero(w[:, 0] > 0) for w in weights]
        self.labelled = [start + at for start, at in zip(starts, inside, strict=True)]
        self.shares = [w[at, 0] for w, at in zip(weights, inside, strict=True)]
        self.complete = not self.stacked and all(len(at) == len(w) for at, w in zip(inside, weights, strict=True))
        if self.stacked:
            self._stack(targets, weights, widths)
        else:
            self.y = self._device(np.concatenate([target.labels for target in targets], axis=1))
            self.weights = self._device(np.repeat(np.concatenate(weights, axis=1), widths, axis=1))

    def _stack(self, targets, weights, widths):
        """A row's labels side by side, with its task; `batch` spreads them over the columns of all tasks."""
        wide = [np.pad(t.labels, ((0, 0), (0, widths.max() - t.labels.shape[1]))) for t in targets]
        self.y, self.weights = self._device(np.concatenate(wide)), self._device(np.concatenate(weights))
        self.task = np.repeat(np.arange(self.n_tasks), [len(w) for w in weights])
        owner = np.repeat(np.arange(self.n_tasks), widths)
        self.owner, self.within = self.xp.asarray(owner), self.xp.asarray(np.arange(len(owner)) - self.first[owner])

    def _device(self, a):
        return self.xp.asarray(a, dtype=self.dtype)

    @property
    def rows(self):
        """Positions of all rows with a label."""
        return np.unique(np.concatenate(self.labelled))

    def features(self, rows):
        """X of some rows, scaled."""
        return scaled(self.xp, self.X, rows, self.shift, self.scale)

    def batch(self, rows):
        """``(X, y, weights, task)`` of some rows: (B, n_features), (B, n_labels), (B, n_labels), (B,) of NumPy.

        The last is None where rows have labels of all tasks.
        """
        xp, at, task = self.xp, self.xp.asarray(rows), None
        y, weights = xp.take(self.y, at, axis=0), xp.take(self.weights, at, axis=0)
        if self.stacked:
            task = self.task[rows]
            mine = xp.asarray(task)[:, None] == self.owner[None, :]
            nothing = xp.zeros((1, 1), dtype=self.dtype)
            y, weights = xp.where(mine, xp.take(y, self.within, axis=1), nothing), xp.where(mine, weights, nothing)
        return self.features(rows), y, weights, task


def scaled(xp, X, rows, shift, scale):
    """``(X[rows] - shift) * scale`` as a dense array."""
    part = X[rows].toarray() if is_sparse(X) else xp.take(X, xp.asarray(rows), axis=0)
    return part if shift is None else (part - shift) * scale
