"""Between lists of tasks, shared rows with a 2-D y, and one table with a task column."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import sparse

from ._labels import clean_labels, infer_dtype, label_matrix, python_labels
from ._split import split_task_column
from ._tables import FRAMES, as_table, column_names, concat_rows, insert_column, kind, take_rows, to_numpy


def stack_tasks(Xs, ys, tasks=None, *, task_name="task"):
    """Stack the data of every task into one table whose last column is the task.

    Parameters
    ----------
    Xs : list or dict of tables (n_t, n_features)
        Features of every task, all in the same container: pandas or polars data frames (columns are matched
        by name), arrays or SciPy sparse matrices. A dict is keyed by task label.
    ys : list or dict of array-like (n_t,) or (n_t, 1)
        Labels of every task, in the same order or with the same keys.
    tasks : list of labels, optional
        Task labels, for lists; default 0, 1, ... in the order of ``Xs``.
    task_name : str
        Name of the task column in a data frame.

    Returns
    -------
    X : table (sum of n_t, n_features + 1)
        Rows by task, the task in the last column: ``task_feature=-1`` or ``task_feature=task_name``. A data
        frame for data frames, CSR for sparse matrices, which take only numbers as labels. Arrays stay arrays
        of floats (float32 is kept) if the labels are numbers; with string labels the result is a pandas data
        frame with columns "x0", "x1", ..., because an array of objects would lose the dtype.
    y : ndarray (sum of n_t,)

    Raises
    ------
    ValueError
        Naming the task: no rows, other features or another number of labels than expected, a label twice.

    Examples
    --------
    >>> import numpy as np
    >>> from mtlreg.data import stack_tasks
    >>> X, y = stack_tasks([np.ones((2, 1)), np.zeros((1, 1))], [[1.0, 2.0], [3.0]])
    >>> X
    array([[1., 0.],
           [1., 0.],
           [0., 1.]])
    """
    Xs, ys, labels = _task_lists(Xs, ys, tasks)
    names = python_labels(labels)
    Xs = [as_table(X, name=f"X of task {task!r}") for task, X in zip(names, Xs, strict=True)]
    ys = [_one_dimensional(y, task) for task, y in zip(names, ys, strict=True)]
    Xs = [_like_first(X, Xs[0], task, names[0]) for task, X in zip(names, Xs, strict=True)]
    for task, X, y in zip(names, Xs, ys, strict=True):
        if X.shape[0] == 0:
            raise ValueError(f"Task {task!r} has no rows; leave it out.")
        if X.shape[0] != len(y):
            raise ValueError(f"Task {task!r} has {X.shape[0]} rows in X and {len(y)} labels in y.")
        if (y.dtype.kind in "OSU") != (ys[0].dtype.kind in "OSU"):
            raise ValueError(f"The labels of tasks {names[0]!r} and {task!r} mix numbers and strings.")
    rows = np.repeat(labels, [len(y) for y in ys])
    return _append_task(concat_rows(Xs), rows, task_name), np.concatenate(ys)


def _task_lists(Xs, ys, tasks):
    """Both inputs as lists in one order, and the task labels as an array."""
    if isinstance(Xs, dict) != isinstance(ys, dict):
        raise TypeError("Xs and ys must both be lists, or both be dicts keyed by task label.")
    if isinstance(Xs, dict):
        if tasks is not None:
            raise ValueError("tasks is for lists; the keys of the dicts are the task labels.")
        if set(Xs) != set(ys):
            one_sided = sorted(set(Xs) ^ set(ys), key=str)
            raise ValueError(f"These tasks are in only one of Xs and ys: {one_sided}.")
        Xs, ys, tasks = list(Xs.values()), [ys[task] for task in Xs], list(Xs)
    if len(Xs) == 0 or len(Xs) != len(ys):
        raise ValueError(f"Xs has {len(Xs)} tasks and ys has {len(ys)}; give one X and one y per task.")
    return list(Xs), list(ys), _task_labels(tasks, len(Xs))


def _task_labels(tasks, n_tasks):
    if tasks is None:
        return np.arange(n_tasks)
    values = np.empty(len(tasks), dtype=object)
    values[:] = list(tasks)
    labels = clean_labels(values, "tasks")
    if len(labels) != n_tasks:
        raise ValueError(f"tasks has {len(labels)} labels for {n_tasks} tasks.")
    unique, counts = np.unique(labels, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"tasks has the label {python_labels(unique[counts > 1])[0]!r} more than once.")
    return labels


def _one_dimensional(y, task):
    values, _, _ = label_matrix(y, name=f"y of task {task!r}")
    if values.shape[1] != 1:
        raise ValueError(f"y of task {task!r} has shape {values.shape}; it must be (n_samples,).")
    return infer_dtype(values[:, 0])


def _like_first(X, first, task, first_task):
    """X, checked against the first task's, with the columns of a data frame in the same order."""
    if kind(X) != kind(first):
        raise TypeError(
            f"X of task {task!r} is a {type(X).__name__}, that of task {first_task!r} a "
            f"{type(first).__name__}; use one container for all."
        )
    if X.shape[1] != first.shape[1]:
        raise ValueError(
            f"Task {task!r} has {X.shape[1]} features, task {first_task!r} has {first.shape[1]}; "
            "all tasks need the same features."
        )
    names, wanted = column_names(X), column_names(first)
    if names is None or wanted is None or names == wanted:
        return X
    if set(names) != set(wanted):
        other = sorted(set(names) ^ set(wanted), key=str)
        raise ValueError(f"Only one of the tasks {first_task!r} and {task!r} has the columns {other}.")
    return X[wanted]


def _append_task(X, labels, task_name):
    """X with the task of every row as its last column."""
    container = kind(X)
    if container == "pandas":
        X = X.reset_index(drop=True)
    if container in FRAMES:
        if task_name in X.columns:
            raise ValueError(f"X already has a column {task_name!r}; choose another task_name.")
        return insert_column(X, X.shape[1], labels, task_name)
    if container == "sparse":
        return insert_column(X.tocsr(), X.shape[1], labels, task_name)
    if container == "numpy" and X.dtype != object:
        X = X if X.dtype.kind == "f" else X.astype(np.float64)
        if labels.dtype.kind not in "biuf":
            return insert_column(_named_columns(X), X.shape[1], labels, task_name)
    elif container == "array" and labels.dtype.kind not in "biuf":
        raise ValueError(f"An {type(X).__name__} cannot hold labels that are not numbers: number the tasks.")
    return insert_column(X, X.shape[1], labels, task_name)


def _named_columns(X):
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "Arrays with string task labels become a pandas data frame: install pandas, or number the tasks."
        ) from error
    return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])


def melt(X, Y, *, tasks=None, task_name="task", return_index=False):
    """From shared rows with a 2-D y to a table with a task column; missing labels are left out.

    Parameters
    ----------
    X : table (n_samples, n_features)
        pandas or polars data frame, array or SciPy sparse matrix.
    Y : array-like or data frame (n_samples, n_tasks)
        Labels; NaN, None and NA are missing. A 1-D Y is one task.
    tasks : list of labels, optional
        Task labels. Default: the column names if Y is a data frame and X is not sparse, else 0, 1, ...
    task_name : str
        Name of the task column in a data frame.
    return_index : bool
        Also return the row of X that every row of ``X_long`` comes from.

    Returns
    -------
    X_long : table (n_labels, n_features + 1)
        Ordered by task, then by row; the task is the last column. Containers as in `stack_tasks`.
    y_long : ndarray (n_labels,)
    index : ndarray (n_labels,), only if ``return_index``

    Raises
    ------
    ValueError
        X and Y differ in length, or Y has no label at all.

    Warns
    -----
    UserWarning
        A task has no label, so that it is not in the result.

    See Also
    --------
    unmelt : the inverse.
    """
    X = as_table(X)
    values, observed, names = label_matrix(Y)
    if X.shape[0] != values.shape[0]:
        raise ValueError(f"X has {X.shape[0]} rows and Y has {values.shape[0]}.")
    if tasks is None and not sparse.issparse(X):
        tasks = names
    labels = _task_labels(tasks, values.shape[1])
    if not observed.any():
        raise ValueError("Y has no label: every value is missing.")
    empty = ~observed.any(axis=0)
    if empty.any():
        warnings.warn(f"Tasks without a label are left out: {python_labels(labels[empty])}.", stacklevel=2)
    columns, rows = np.nonzero(observed.T)
    X_long = _append_task(take_rows(X, rows), labels[columns], task_name)
    y_long = infer_dtype(values[rows, columns])
    return (X_long, y_long, rows) if return_index else (X_long, y_long)


def unmelt(X_long, y_long, *, task_feature="task", index=None):
    """From a table with a task column to shared rows with a 2-D y, NaN where a sample has no label of a task.

    Parameters
    ----------
    X_long : table (n_labels, n_features + 1)
    y_long : array-like (n_labels,)
    task_feature : str or int
        Name or position of the task column.
    index : array-like (n_labels,), optional
        Sample of every row, such as the index that `melt` returns. Without it, rows with identical features
        are one sample.

    Returns
    -------
    X : same container as X_long (n_samples, n_features)
        Samples sorted by ``index``; without it in the order of their first row.
    Y : ndarray (n_samples, n_tasks)
        Floats with NaN for missing labels; objects with None if the labels are not numbers.
    tasks : ndarray (n_tasks,)
        Sorted task labels, one for every column of Y.

    Raises
    ------
    ValueError
        A sample has two labels of one task, or rows of one sample differ in their features.
    """
    rest, row_tasks, _ = split_task_column(X_long, task_feature)
    y = _one_dimensional(y_long, "y_long")
    n_rows = rest.shape[0]
    if len(y) != n_rows:
        raise ValueError(f"X_long has {n_rows} rows and y_long has {len(y)}.")
    alike = _number_rows(rest)
    ids, first, samples = np.unique(
        alike if index is None else _row_ids(index, n_rows), return_index=True, return_inverse=True
    )
    differing = alike != alike[first[samples]]
    if differing.any():
        sample = python_labels(ids[samples[differing]])[0]
        raise ValueError(
            f"Sample {sample!r} has rows with different features (row {first[samples[differing]][0]} and row "
            f"{np.flatnonzero(differing)[0]}); such data have no shared X."
        )
    tasks, columns = np.unique(row_tasks, return_inverse=True)
    row_ids = None if index is None else ids[samples]
    _check_no_duplicates(samples * len(tasks) + columns, tasks[columns], row_ids)
    Y = _empty_labels(y.dtype, (len(ids), len(tasks)))
    Y[samples, columns] = y
    X = take_rows(rest, first)
    return (X.reset_index(drop=True) if kind(X) == "pandas" else X), Y, tasks


def _row_ids(index, n_rows):
    ids = to_numpy(index) if hasattr(index, "to_numpy") else np.asarray(index)
    if ids.shape != (n_rows,):
        raise ValueError(f"index has shape {ids.shape}; it must be ({n_rows},), the sample of every row.")
    return ids


def _check_no_duplicates(cells, row_tasks, ids):
    """Every (sample, task) at most once."""
    if len(np.unique(cells)) == len(cells):
        return
    order = np.argsort(cells, kind="stable")
    repeat = np.flatnonzero(np.diff(cells[order]) == 0)[0]
    one, two = order[repeat : repeat + 2]
    sample = "A sample" if ids is None else f"Sample {python_labels(ids[[one]])[0]!r}"
    raise ValueError(
        f"{sample} has two labels of task {python_labels(row_tasks[[one]])[0]!r}, in rows {one} and {two}. "
        "Average them first, or give `index` if these are different samples."
    )


def _empty_labels(dtype, shape):
    if dtype.kind in "biuf":
        return np.full(shape, np.nan, dtype=dtype if dtype.kind == "f" else np.float64)
    return np.full(shape, None, dtype=object)


def _number_rows(X):
    """Number of every row among the different rows of X, in order of appearance."""
    if sparse.issparse(X):
        X = X.tocsr().copy()
        X.sum_duplicates()
        X.eliminate_zeros()
        keys = [
            (X.indices[start:stop].tobytes(), X.data[start:stop].tobytes())
            for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True)
        ]
    else:
        keys = [row.tobytes() for row in np.ascontiguousarray(_as_numbers(X))]
    seen = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys])


def _as_numbers(X):
    """A dense table as one numeric array in which equal values have equal bytes."""
    values = X.to_numpy() if kind(X) in FRAMES else to_numpy(X)
    if values.dtype.kind not in "biuf":
        codes = [np.unique([repr(value) for value in column], return_inverse=True)[1] for column in values.T]
        return np.column_stack(codes)
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.nan, values) + 0.0  # one NaN, and no negative zero
    return values
