"""Splitters that know the tasks: folds stratified over tasks and classes, and one task left out at a time."""

from __future__ import annotations

import numbers

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state

from mtlreg.data import split_task_column
from mtlreg.data._labels import infer_dtype, label_matrix

__all__ = ["LeaveOneTaskOut", "StratifiedTaskKFold"]


class StratifiedTaskKFold(BaseCrossValidator):
    """Folds in which every task, and every class of a task, is as frequent as in the whole.

    Rows are dealt out stratum by stratum, the rarest first, each stratum evenly over the folds [1]_. With a task column
    the strata are the pairs (task, class); with shared X and a 2-D y a row belongs to one stratum for each of its
    labels. Missing labels belong to none.

    Rows that no training part can do without are in every training part and in no test part: those that carry a label
    of a task with fewer labels than ``n_splits``, and the only label of a class in its task.

    Parameters
    ----------
    n_splits : int, default=5
        At least 2.
    task_feature : str, int or None, default=None
        The column of X that holds the task of each row, by name or position; None for shared X.
    classes : bool or "auto", default="auto"
        Whether labels are classes. "auto" takes the labels of a task for classes unless they are numbers with a
        fractional part or most of the values occur less than ``n_splits`` times.
    shuffle : bool, default=True
        False deals the rows out in the order they stand in.
    random_state : int, RandomState instance or None, default=0

    References
    ----------
    .. [1] Sechidis, Tsoumakas & Vlahavas (2011), On the stratification of multi-label data, ECML PKDD, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from mtlreg.model_selection import StratifiedTaskKFold
    >>> X = np.column_stack([np.arange(6), [0, 0, 0, 0, 1, 1]])
    >>> for train, test in StratifiedTaskKFold(2, task_feature=-1).split(X, np.ones(6)):
    ...     print(X[test, -1])
    [0. 0. 1.]
    [0. 0. 1.]
    """

    def __init__(self, n_splits=5, *, task_feature=None, classes="auto", shuffle=True, random_state=0):
        self.n_splits = n_splits
        self.task_feature = task_feature
        self.classes = classes
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X=None, y=None, groups=None):
        """``n_splits``."""
        return self.n_splits

    def _iter_test_indices(self, X, y, groups=None):
        folds = self.assign(X, y)
        for k in range(self.n_splits):
            yield np.flatnonzero(folds == k)

    def assign(self, X, y):
        """The fold in which each row is tested, -1 for rows that are always trained on.

        Raises
        ------
        ValueError
            Fewer rows than folds, or no row that can be tested.
        """
        self._check()
        strata, needed = self._strata(X, y)
        n = strata.shape[0]
        if n < self.n_splits:
            raise ValueError(f"n_splits={self.n_splits} folds need as many rows, got n_samples={n}.")
        if needed.all():
            raise ValueError(
                f"Every row carries a label of a task with fewer than n_splits={self.n_splits} labels (or the only one "
                "of a class): give a smaller n_splits."
            )
        order = check_random_state(self.random_state).permutation(n) if self.shuffle else np.arange(n)
        folds = np.empty(n, dtype=np.int64)
        folds[order] = _deal(strata[order], needed[order], self.n_splits)
        return folds

    def _check(self):
        if isinstance(self.n_splits, bool) or not isinstance(self.n_splits, numbers.Integral):
            raise TypeError(f"n_splits={self.n_splits!r} must be an integer.")
        if self.n_splits < 2:
            raise ValueError(f"n_splits={self.n_splits!r} must be at least 2.")
        if self.classes not in (True, False, "auto"):
            raise ValueError(f"classes={self.classes!r} must be True, False or 'auto'.")

    def _strata(self, X, y):
        """Strata (n, T) of the labels, -1 where there is none, and which rows must be trained on."""
        values, observed, _ = label_matrix(y, "y")
        if self.task_feature is None:
            tasks = np.broadcast_to(np.arange(values.shape[1]), values.shape)
        else:
            column = split_task_column(X, self.task_feature)[1]
            tasks = np.unique(column, return_inverse=True)[1].reshape(-1, 1)
        strata, needed, first = np.full(values.shape, -1), np.zeros(values.shape, dtype=bool), 0
        for t in range(int(tasks.max()) + 1):
            here = (tasks == t) & observed
            codes = self._codes(values[here])
            strata[here] = first + codes
            first += codes.max(initial=0) + 1
            counts = np.bincount(codes)
            needed[here] = (codes.size < self.n_splits) | ((counts == 1)[codes] & (counts.size > 1))
        return strata, needed.any(axis=1)

    def _codes(self, labels):
        """The class of each label of one task; all the same where labels are not classes."""
        if self.classes is False or not labels.size:
            return np.zeros(labels.size, dtype=np.int64)
        labels = infer_dtype(labels)
        found, codes = np.unique(labels, return_inverse=True)
        fractions = labels.dtype.kind == "f" and bool((labels != np.rint(labels)).any())
        if self.classes == "auto" and (fractions or labels.size < self.n_splits * found.size):
            return np.zeros(labels.size, dtype=np.int64)
        return codes


def _deal(strata, needed, n_splits):
    """The fold of each row: each stratum evenly over the folds, what cannot be even to the smallest fold."""
    n, _ = strata.shape
    folds = np.full(n, -1)
    free = ~needed
    sizes = np.zeros(n_splits, dtype=np.int64)
    rows_of = _rows_by_stratum(strata, free)
    for rows in sorted(rows_of, key=len):
        have = np.bincount(folds[rows][folds[rows] >= 0], minlength=n_splits)
        rest = rows[folds[rows] < 0]
        take = _shares(have, sizes, rest.size)
        folds[rest] = np.repeat(np.arange(n_splits), take)
        sizes += take
    left = np.flatnonzero(free & (folds < 0))  # rows without any label
    folds[left] = np.repeat(np.arange(n_splits), _shares(sizes, sizes, left.size))
    for rows in rows_of:
        # dealt out for the sake of rarer strata, all may have come to one fold, whose training part would lack them
        if np.unique(folds[rows]).size == 1:
            folds[rows[0]] = -1
    return folds


def _rows_by_stratum(strata, free):
    row, column = np.nonzero((strata >= 0) & free[:, None])
    values = strata[row, column]
    order = np.argsort(values, kind="stable")
    cuts = np.flatnonzero(np.diff(values[order])) + 1
    return np.split(row[order], cuts) if row.size else []


def _shares(have, sizes, count):
    """How many of ``count`` more each fold gets, so that what they have is as even as can be, small folds first."""
    slots = have[:, None] + np.arange(count)
    order = np.lexsort((np.repeat(sizes, count), slots.ravel()))[:count]
    return np.bincount(order // max(count, 1), minlength=have.size)


class LeaveOneTaskOut(BaseCrossValidator):
    """Each task in turn is tested by a model that has not seen it (give the estimator ``unseen_task="mean"``).

    Parameters
    ----------
    task_feature : str or int
        The column of X that holds the task of each row, by name or position.
    """

    def __init__(self, task_feature):
        self.task_feature = task_feature

    def get_n_splits(self, X=None, y=None, groups=None):
        """The number of tasks in X."""
        if X is None:
            raise ValueError("LeaveOneTaskOut needs X: its task column says how many splits there are.")
        return len(np.unique(self._tasks(X)))

    def _tasks(self, X):
        tasks = split_task_column(X, self.task_feature)[1]
        if len(np.unique(tasks)) < 2:
            raise ValueError(f"The task column {self.task_feature!r} holds one task only: nothing is left to train on.")
        return tasks

    def _iter_test_indices(self, X, y=None, groups=None):
        tasks = self._tasks(X)
        for task in np.unique(tasks):
            yield np.flatnonzero(tasks == task)
