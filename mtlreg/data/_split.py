"""The task column: finding it, taking it off, ranking it in feature selection."""

from __future__ import annotations

import difflib
import numbers
import warnings

import numpy as np

from ._labels import clean_labels
from ._tables import as_table, column_names, drop_column, get_column, kind, to_numpy


def split_task_column(X, task_feature):
    """Take the task column off a table.

    Parameters
    ----------
    X : data frame (pandas, polars), array or sparse matrix (n_rows, n_columns)
    task_feature : str or int
        Name of the task column (data frames only) or its position, negative from the end. An integer is
        always a position, also where the columns of a data frame are named by integers.

    Returns
    -------
    X_rest : same container as X (n_rows, n_columns - 1)
        The other columns in their order. A view for a NumPy array whose task column is the first or the last.
        An array of objects becomes float64.
    tasks : ndarray (n_rows,)
        The task of every row: integers (also from integral floats), strings in an object array, or whatever
        one type the column has.
    position : int
        Position of the task column in X, not negative.

    Raises
    ------
    ValueError
        No such column, no other column, a missing or infinite task, labels of mixed types, or features in an
        array of objects that are not numbers.
    TypeError
        ``task_feature`` is neither a name nor an integer, or a feature is no number at all.

    Warns
    -----
    UserWarning
        The tasks are numbers with a fractional part: a scaler has probably touched them.
    """
    X = as_table(X)
    tasks, position = task_column(X, task_feature)
    if X.shape[1] == 1:
        raise ValueError(f"X has n_features = 1: the task column {task_feature!r} and no feature beside it.")
    rest = drop_column(X, position)
    if isinstance(rest, np.ndarray) and rest.dtype == object:
        rest = _as_floats(rest, position)
    return rest, tasks, position


def task_column(X, task_feature):
    """The task of every row and the position of the task column; see `split_task_column`."""
    X = as_table(X)
    if X.shape[1] == 0:
        raise ValueError(f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 2 is required.")
    position = _task_position(X, task_feature)
    what = f"The task column (task_feature={task_feature!r})"
    column = get_column(X, position)
    if kind(X) == "polars" and column.null_count():
        column = np.array(column.to_list(), dtype=object)  # `to_numpy` turns integers with nulls into floats
    tasks = clean_labels(to_numpy(column), what)
    if tasks.dtype.kind == "f":
        example = tasks[np.argmax(tasks != np.rint(tasks))]
        warnings.warn(
            f"{what} holds numbers that are not integers, such as {example}: a scaler has probably changed "
            "it. KeepTask(scaler, task_feature) leaves the task column alone.",
            UserWarning,
            stacklevel=3,
        )
    return tasks, position


def _task_position(X, task_feature) -> int:
    n_columns = X.shape[1]
    if isinstance(task_feature, bool | np.bool_):
        raise TypeError(f"task_feature={task_feature!r} is a boolean; give a column name or a position.")
    if isinstance(task_feature, numbers.Integral):
        if not -n_columns <= task_feature < n_columns:
            raise ValueError(
                f"task_feature={task_feature} is out of range: X has {n_columns} columns, so that a position "
                f"lies between {-n_columns} and {n_columns - 1}."
            )
        return int(task_feature) % n_columns
    if not isinstance(task_feature, str):
        raise TypeError(f"task_feature must be a column name or a position, got {task_feature!r}.")
    names = column_names(X)
    if names is None or task_feature not in names:
        raise ValueError(_no_such_column(X, names, task_feature))
    if names.count(task_feature) > 1:
        raise ValueError(f"X has {names.count(task_feature)} columns {task_feature!r}; one must be the task.")
    return names.index(task_feature)


def _no_such_column(X, names, wanted) -> str:
    """Message for a task column that is not there: what is, and what probably happened."""
    if names is None:
        return (
            f"task_feature={wanted!r} is a column name, but X is a {type(X).__name__} without names. Pass a "
            "data frame, or in a pipeline let the earlier steps return one with "
            "set_output(transform='pandas'), or give the position of the column, such as task_feature=-1."
        )
    shown = ", ".join(map(repr, names[:20])) + (f", ... ({len(names)} in all)" if len(names) > 20 else "")
    message = f"X has no column {wanted!r} (task_feature). Its columns are {shown}."
    texts = [name for name in names if isinstance(name, str)]
    renamed = [name for name in texts if name.endswith("__" + wanted)]
    if renamed:
        return (
            f"{message} {renamed[0]!r} looks like it, renamed by a ColumnTransformer or a FeatureUnion: set "
            "verbose_feature_names_out=False there."
        )
    lowered = {name.lower(): name for name in texts}
    close = difflib.get_close_matches(wanted.lower(), lowered, n=1)
    return f"{message} Did you mean {lowered[close[0]]!r}?" if close else message


def _as_floats(rest, position):
    """Array of objects as float64, or an error that names the first column with something else in it."""
    try:
        return rest.astype(np.float64)
    except (TypeError, ValueError):
        for j in range(rest.shape[1]):
            try:
                rest[:, j].astype(np.float64)
            except (TypeError, ValueError) as error:
                raise type(error)(
                    f"Column {j + (j >= position)} of X cannot be converted to numbers ({error}). "
                    "Encode it first, for example with OneHotEncoder."
                ) from None
        raise


def feature_importance(estimator):
    """Importance of every column of X for `sklearn.feature_selection.SelectFromModel`.

    ``importance_j = sqrt(sum_t coef[t, j]^2)``, and for the task column the largest of these, a rounding step
    above it, or 1 where all are zero.

    Use it as ``SelectFromModel(estimator, importance_getter=feature_importance)``: the task column, which has
    no coefficient, is then kept as long as any feature is. Its importance is not infinite because the
    threshold "mean", the default for most estimators, would be infinite too and drop every feature.

    Parameters
    ----------
    estimator : fitted estimator
        With ``coef_`` (n_columns, n_features) or (n_features,), and with ``task_position_`` if its
        ``task_feature`` is not None.

    Returns
    -------
    importance : ndarray
        One value for each column of X, the task column included.
    """
    coef = to_numpy(estimator.coef_)
    importance = np.linalg.norm(coef.reshape(-1, coef.shape[-1]), axis=0)
    if getattr(estimator, "task_feature", None) is None:
        return importance
    largest = importance.max(initial=0.0)
    # Strictly the largest: `max_features` breaks ties by position, and the task is often the last column.
    top = np.nextafter(largest, np.inf, dtype=importance.dtype) if largest > 0 else 1.0
    return np.insert(importance, estimator.task_position_, top)
