"""Reading what the user gives: X, y, tasks and weights through either door, into one `Table`.

First door: X (n, p) shared by all tasks and y (n, T), where NaN, None, pd.NA or a masked entry is a label that was not
observed; a 1-D y is one task. Second door: one column of X holds the task of each row and y is 1-D.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace, is_cupy_array
from array_api_compat import device as device_of
from sklearn import get_config
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import check_array, validate_data

from mtlreg.data._labels import infer_dtype, label_matrix
from mtlreg.data._split import split_task_column
from mtlreg.data._tables import as_table, is_device_sparse, is_sparse, kind, namespace_of, take_rows
from mtlreg.data._tables import to_numpy as to_host

__all__ = [
    "Table",
    "as_float_array",
    "free_memory",
    "host_dtype",
    "is_sparse",
    "like",
    "namespace_of",
    "read_features",
    "read_table",
    "relative_weights",
    "spread_by_task",
    "to_device",
    "to_host",
]

MODEST = 2**30


@dataclass
class Table:
    """What was read: rows of X, and labels with their weights.

    Attributes
    ----------
    X : array or sparse (n, p)
        Without the task column; in the second door sorted by task.
    y : ndarray (n, T) or (n,)
        Labels as given; only those with a positive weight mean anything.
    weights : ndarray, like y, or (n, 1) standing for all tasks
        Sample weights relative to the largest, zero where the label is missing.
    tasks : ndarray (T,)
    starts : list of int or None
        Second door: task t has the rows ``starts[t]:starts[t + 1]``.
    single : bool
        A 1-D y without a task column.
    task_position : int or None
    """

    X: object
    y: np.ndarray
    weights: np.ndarray
    tasks: np.ndarray
    starts: list | None
    single: bool
    task_position: int | None

    @property
    def dtype(self):
        """NumPy's name for the dtype of X."""
        return host_dtype(self.X)

    @property
    def stacked(self):
        """Whether every task has its own rows."""
        return self.starts is not None

    @property
    def task_names(self):
        """Labels of the tasks as Python objects, which print as they were written."""
        return self.tasks.tolist()

    def labels_of(self, t):
        """Labels of task t that count, and their weights."""
        if self.stacked:
            y, w = self.y[self._rows(t)], self.weights[self._rows(t)]
        else:
            y, w = self.y[:, t], self.weights[:, 0 if self.weights.shape[1] == 1 else t]
        return y[w > 0], w[w > 0]

    def _rows(self, t):
        return slice(self.starts[t], self.starts[t + 1])


def read_features(estimator, X, *, reset):
    """X without its task column as a numeric matrix, and the task of every row (None without a task column).

    Sets or checks ``n_features_in_`` and ``feature_names_in_`` on ``estimator``.
    """
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError("Input X has masked values, which would be taken as they are: impute them first.")
    if is_device_sparse(X):
        raise TypeError("X is sparse, of cupyx, which scikit-learn cannot check: give X.get() and device='cuda'.")
    if estimator.task_feature is None:
        X = validate_data(estimator, X, reset=reset, **_matrix_rules(X))
        return X, None, None
    X = as_table(X)
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    rest, tasks, position = split_task_column(X, estimator.task_feature)
    rest = check_array(rest, estimator=estimator, input_name="X", **_matrix_rules(rest))
    return rest, tasks, position


def _matrix_rules(X):
    dispatch = get_config()["array_api_dispatch"]  # without it scikit-learn makes NumPy's arrays of all others
    if is_cupy_array(X) and not dispatch:
        raise TypeError(
            "X is an array of CuPy: let scikit-learn take such with sklearn.set_config(array_api_dispatch=True), or "
            "give X.get() and device='cuda'."
        )
    xp = array_namespace(X) if kind(X) == "array" and dispatch else np
    return {"accept_sparse": ["csr", "csc"], "dtype": [xp.float64, xp.float32], "accept_large_sparse": True}


def read_table(estimator, X, y, sample_weight, *, numeric):
    """Validate fit's arguments and sort them into a `Table`.

    Parameters
    ----------
    numeric : bool
        Whether labels are numbers (regression) rather than classes.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, row, column or task at fault.
    """
    name = type(estimator).__name__
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")
    X, tasks, position = read_features(estimator, X, reset=True)
    if is_sparse(y):
        raise TypeError(f"{name}: sparse y is not supported; give a dense array, NaN where a label is missing.")
    if getattr(y, "ndim", 2) == 0:
        raise ValueError("y should be a 1d array, got a scalar.")
    values, observed, names = label_matrix(y, "y")
    flat = len(getattr(y, "shape", None) or np.asarray(y).shape) == 1
    if values.shape[0] != X.shape[0]:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {X.shape[0]} rows, y {values.shape[0]}."
        )
    if values.shape[1] == 0:
        raise ValueError("y has no column: give one column a task.")
    values = _numbers(values, observed) if numeric else infer_dtype_observed(values, observed)
    _check_finite(values, names, host_dtype(X) if numeric else values.dtype)
    # a regressor keeps the axis of tasks of a 2-D y with one column, a classifier is asked not to
    single = flat or (values.shape[1] == 1 and (not numeric or position is not None))
    if single and not flat:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected: one column of labels is 1-D, y.ravel().",
            DataConversionWarning,
            stacklevel=2,
        )
    if position is None:
        labels = np.arange(values.shape[1]) if names is None else np.array(names, dtype=object)
        return _shared_table(X, values, observed, labels, sample_weight, single)
    if values.shape[1] != 1:
        raise ValueError(
            f"With task_feature={estimator.task_feature!r} y holds one label a row and must be 1-D, got shape "
            f"{values.shape}. For 2-D y (one column a task) leave task_feature=None."
        )
    return _stacked_table(X, values[:, 0], observed[:, 0], tasks, position, sample_weight)


def infer_dtype_observed(values, observed):
    """Class labels in the narrowest common type of the observed ones."""
    if values.dtype.kind != "O" or observed.all() or not observed.any():
        return infer_dtype(values)
    filled = values.copy()
    filled[~observed] = values[observed][0]
    return infer_dtype(filled)


def _numbers(values, observed):
    """Labels as floats, NaN where missing."""
    dates = values.dtype.kind in "mM"
    if values.dtype.kind == "O":  # where float() would take NumPy's dates for numbers
        dates = any(isinstance(v, np.datetime64 | np.timedelta64) for v in values.flat)
    if dates:
        raise ValueError(
            "y holds dates or durations, and a regressor needs numbers: count them in a unit of your choice, such as "
            "(y - y.min()) / np.timedelta64(1, 'D')."
        )
    if values.dtype.kind in "biuf":
        y = values.astype(values.dtype if values.dtype.kind == "f" else np.float64, copy=False)
    else:
        y = np.full(values.shape, np.nan)
        try:
            y[observed] = values[observed].astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"y must hold numbers ({error}); for class labels use a classifier, such as BlockSparseClassifier."
            ) from None
    return y


def _check_finite(y, names, dtype):
    """Refuse labels that are infinite in the precision of the fit."""
    if y.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        y_cast = y.astype(dtype, copy=False)
        if np.isfinite(np.sum(y_cast)):  # no temporary of y's size where all is well
            return
        infinite = np.isinf(y_cast)
    if infinite.any():
        i, t = np.argwhere(infinite)[0]
        where = f"task {names[t]!r}, row {i}" if names is not None else f"row {i}, column {t}"
        remedy = "NaN marks a missing label" if np.isinf(y[i, t]) else "give X as float64, or y in a larger unit"
        raise ValueError(f"Input y contains infinity or a value too large for {dtype!r} ({where}): {remedy}.")


def _shared_table(X, values, observed, tasks, sample_weight, single):
    n, n_tasks = values.shape
    if not observed.any():
        raise ValueError("Input y contains NaN only: no label is observed.")
    weights = _read_weights(sample_weight, n, n_tasks)
    if not observed.all() or weights.shape[1] > 1:
        weights = np.where(observed, weights, 0)
    weights = relative_weights(weights, host_dtype(X))
    totals = np.broadcast_to(weights.sum(axis=0), n_tasks)
    for t in np.flatnonzero(totals == 0):
        raise ValueError(
            f"Task {tasks.tolist()[t]!r} (column {t} of y) has no label with a positive weight: drop the column, "
            "or fit on rows where it is observed."
        )
    if weights.shape[1] > 1 and (weights == weights[:, :1]).all():
        weights = np.ascontiguousarray(weights[:, :1])
    return Table(X, values, weights, tasks, None, single, None)


def _stacked_table(X, y, observed, tasks, position, sample_weight):
    if not observed.any():
        raise ValueError("Input y contains NaN only: no label is observed.")
    weights = _read_weights(sample_weight, len(y), 1)[:, 0]
    weights = relative_weights(np.where(observed, weights, 0), host_dtype(X))
    used = weights > 0
    for label in np.setdiff1d(tasks, tasks[used]).tolist():
        raise ValueError(f"Task {label!r} has no observed label with a positive weight: drop its rows.")
    labels, codes = np.unique(tasks[used], return_inverse=True)
    order = np.argsort(codes, kind="stable")
    rows = np.flatnonzero(used)[order]
    if not np.array_equal(rows, np.arange(len(y))):
        X, y, weights = take_rows(X, rows), y[rows], weights[rows]
    starts = [0, *np.cumsum(np.bincount(codes, minlength=len(labels))).tolist()]
    return Table(X, y, weights, labels, starts, False, position)


def relative_weights(weights, dtype):
    """Weights by their largest: only ratios matter, and so neither they nor their sums overflow in any dtype."""
    return (weights / (weights.max() or 1)).astype(dtype)


def _read_weights(sample_weight, n, n_tasks):
    """Sample weights as (n, 1) or (n, n_tasks) in float64."""
    if sample_weight is None:
        return np.ones((n, 1))
    if np.ma.is_masked(sample_weight):
        raise ValueError("sample_weight has masked values; give weight 0 to leave a label out.")
    try:
        weights = to_host(sample_weight)
        if weights.dtype.kind in "cmM":
            raise TypeError
        weights = weights.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError("sample_weight must hold numbers.") from None
    if weights.ndim == 0:
        weights = np.full(n, weights)
    shapes = f"({n},)" + (f" or ({n}, {n_tasks})" if n_tasks > 1 else "")
    if weights.ndim > 2 or (weights.ndim == 2 and weights.shape != (n, n_tasks)):
        raise ValueError(f"Sample weights must be 1D array of shape {shapes} or a scalar, got {weights.shape}.")
    if weights.shape[0] != n:
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {shapes}!")
    if not np.isfinite(weights).all():
        raise ValueError("sample_weight contains NaN or infinity; give weight 0 to leave a label out.")
    if (weights < 0).any():
        i = int(np.argwhere(weights < 0)[0, 0])
        raise ValueError(f"sample_weight has a negative value (row {i}): weights must be >= 0.")
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights if weights.ndim == 2 else weights[:, None]


def spread_by_task(value, tasks, name, *, default=None):
    """A parameter given for every task (dict by task label, or list in the order of ``tasks_``) as a list.

    A dict may name tasks that are not present (a fold can lose one); one that is present must be named, unless there
    is a ``default``.
    """
    if isinstance(value, dict):
        missing = [t for t in tasks.tolist() if t not in value]
        if missing and default is None:
            raise ValueError(f"{name} has no entry for task {missing[0]!r}; its keys are {sorted(map(str, value))}.")
        return [value.get(t, default) for t in tasks.tolist()]
    items = list(value)
    if len(items) != len(tasks):
        raise ValueError(
            f"{name} has {len(items)} entries for {len(tasks)} tasks; a dict keyed by task label is safer."
        )
    return items


def as_float_array(a, name):
    """A parameter array as float64, an error naming it otherwise."""
    try:
        values = np.asarray(to_host(a), dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must hold numbers, got {a!r}.") from None
    if np.isnan(values).any():
        raise ValueError(f"{name} contains NaN.")
    return values


def host_dtype(X):
    """float32 or float64 of NumPy, as X has it."""
    if kind(X) != "array" and not is_device_sparse(X):
        return X.dtype
    return np.dtype(np.float32 if X.dtype == namespace_of(X).float32 else np.float64)


def like(result, X):
    """What an estimator returns, NumPy's, as an array of X's kind: CuPy's for CuPy's. Strings stay where they are."""
    if kind(X) != "array" or not get_config()["array_api_dispatch"]:
        return result
    if isinstance(result, list | tuple):
        return type(result)(like(part, X) for part in result)
    if isinstance(result, dict):
        return {name: like(part, X) for name, part in result.items()}
    if not isinstance(result, np.ndarray) or result.dtype.kind not in "biuf":
        return result
    return array_namespace(X).asarray(np.asarray(result, order="C"), device=device_of(X))


def free_memory(X):
    """Bytes that are free where X is; on the host what a computation may take without asking."""
    if not is_cupy_array(X):
        return MODEST
    import cupy

    return X.device.mem_info[0] + cupy.get_default_memory_pool().free_bytes()


def to_device(X, device):
    """X on the device a parameter names: where it is for "auto", on the host for "cpu", copied to the GPU for "cuda".

    Sparse X keeps its format, CSR or CSC.

    Raises
    ------
    ValueError
        There is no CuPy or no CUDA device, or X has more stored entries than cuSPARSE's indices count.
    """
    if device == "auto":
        return X
    if device == "cpu":
        return to_host(X) if kind(X) == "array" else X
    try:
        import cupy

        cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # no CuPy, no driver, no device: CuPy's own errors exist only where CuPy does
        raise ValueError(
            f"device='cuda' needs CuPy and a CUDA device ({error}): install the extra with "
            "pip install 'mtlreg[gpu]', or give device='auto'."
        ) from None
    if is_sparse(X):
        return _to_device_sparse(X)
    return cupy.asarray(X, order="C" if kind(X) == "numpy" else None)  # in the order that kernels for rows read best


def _to_device_sparse(X):
    from cupyx.scipy import sparse as on_device

    if X.nnz > np.iinfo(np.int32).max:
        raise ValueError(f"device='cuda' takes fewer than 2^31 stored entries of a sparse X, which has {X.nnz}.")
    return (on_device.csr_matrix if X.format == "csr" else on_device.csc_matrix)(X)
