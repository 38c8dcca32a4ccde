"""Labels: what is missing, which dtype a column of Python objects has, 2-D y as arrays."""

from __future__ import annotations

import numbers

import numpy as np

from ._tables import FRAMES, kind, to_numpy


def is_missing(value) -> bool:
    """None, NaN, pandas' NA and NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating | np.datetime64 | np.timedelta64) and bool(value != value)


def missing_mask(values: np.ndarray) -> np.ndarray:
    """Where an array of any dtype has no value."""
    if values.dtype.kind == "O":
        return np.frompyfunc(is_missing, 1, 1)(values).astype(bool)
    if values.dtype.kind in "fc":
        return np.isnan(values)
    return np.isnat(values) if values.dtype.kind in "mM" else np.zeros(values.shape, dtype=bool)


def infer_dtype(values: np.ndarray) -> np.ndarray:
    """An object array without missing values as numbers if it holds only numbers."""
    types = set(map(type, values.ravel())) if values.dtype.kind == "O" else ()
    if types and all(issubclass(cls, numbers.Real | np.bool_) for cls in types):
        return np.array(values.tolist())
    return values


def clean_labels(values: np.ndarray, what: str) -> np.ndarray:
    """Labels of one kind: integral floats as integers, objects as numbers where they are numbers.

    Parameters
    ----------
    values : ndarray (n,)
    what : str
        Subject of the error messages, such as "The task column 'school'".

    Raises
    ------
    ValueError
        A label is missing or infinite, or labels of different types cannot be sorted.
    """
    types = set(map(type, values)) if values.dtype.kind == "O" else set()
    if types and types <= {str}:
        return values
    missing = missing_mask(values)
    if missing.any():
        raise ValueError(
            f"{what} has {missing.sum()} missing values, the first at row {missing.argmax()}. Every row "
            "needs a task: drop these rows, or give them a task of their own."
        )
    values = infer_dtype(values)
    if values.dtype.kind == "O" and len({str if issubclass(t, str) else t for t in types}) > 1:
        names = ", ".join(sorted(t.__name__ for t in types))
        raise ValueError(f"{what} mixes labels of types {names}, which have no order: use one type for all.")
    return _integers(values, what) if values.dtype.kind == "f" else values


def _integers(values, what):
    if not np.isfinite(values).all():
        raise ValueError(f"{what} has an infinite value at row {np.isinf(values).argmax()}.")
    integral = (values == np.rint(values)).all() and (np.abs(values) < 2**53).all()
    return values.astype(np.int64) if integral else values


def python_labels(values: np.ndarray) -> list:
    """Labels as Python scalars, so that they print as they were written."""
    return [v.item() if isinstance(v, np.number | np.bool_ | np.str_) else v for v in values]


def group_rows(tasks):
    """Sorted labels, and the rows of each in their order."""
    labels, codes, counts = np.unique(tasks, return_inverse=True, return_counts=True)
    rows = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    return python_labels(labels), rows


def label_matrix(Y, name="Y"):
    """Labels of shared rows: values (n, T), a mask of the observed ones, column names or None.

    A label that is masked in a masked array is not observed.
    """
    container = kind(Y)
    names = list(Y.columns) if container in FRAMES else None
    if container is None and getattr(Y, "name", None) is not None and hasattr(Y, "to_numpy"):
        names = [Y.name]
    if isinstance(Y, np.ma.MaskedArray):
        values = _unmasked(Y)
    else:
        values = to_numpy(Y) if container is not None or hasattr(Y, "__array__") else _from_lists(Y)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise ValueError(f"{name} must have shape (n_samples, n_tasks), got {values.shape}.")
    if values.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: {name} has dtype {values.dtype}; give the real part or the modulus."
        )
    return values, ~missing_mask(values), names


def _unmasked(Y):
    """A masked array as a plain one, NaN, NaT or None where it is masked."""
    values = Y.data.astype(Y.dtype if Y.dtype.kind in "fcmM" else object)
    values[np.ma.getmaskarray(Y)] = None  # NumPy makes NaN or NaT of it
    return values


def _from_lists(Y):
    values = np.asarray(Y)
    return np.asarray(Y, dtype=object) if values.dtype.kind in "US" else values
