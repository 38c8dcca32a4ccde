"""The few operations on 2-D tables that the helpers need, once for each container.

Containers: pandas and polars data frames, SciPy sparse matrices, NumPy arrays and other arrays of the array
API (CuPy). Neither data frame library is imported here: a frame can only exist once its library is loaded.
"""

from __future__ import annotations

import sys

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj
from scipy import sparse

CHUNK = 2**18  # entries of X worked on together
LARGE_CHUNK = 2**27  # the same on a GPU, where a call costs as much as 10^5 entries
FRAMES = ("pandas", "polars")


def kind(X) -> str | None:
    """One of "pandas", "polars", "sparse", "numpy", "array"; None for anything else, such as nested lists."""
    for library in FRAMES:
        frame = getattr(sys.modules.get(library), "DataFrame", None)
        if frame is not None and isinstance(X, frame):
            return library
    if sparse.issparse(X):
        return "sparse"
    if isinstance(X, np.ndarray):
        return "numpy"
    return "array" if is_array_api_obj(X) else None


def is_sparse(X) -> bool:
    """Whether X is a sparse matrix, of SciPy on the host or of cupyx on a GPU."""
    return sparse.issparse(X) or is_device_sparse(X)


def is_device_sparse(X) -> bool:
    """Whether X is a sparse matrix on a GPU, which it can only be once cupyx is loaded."""
    library = sys.modules.get("cupyx.scipy.sparse")
    return library is not None and library.issparse(X)


def namespace_of(X):
    """The array namespace of what X is multiplied with: NumPy for SciPy's sparse matrices, CuPy for cupyx's."""
    return np if sparse.issparse(X) else array_namespace(X.data if is_device_sparse(X) else X)


def as_table(X, name="X"):
    """X as one of the known containers, with exactly two dimensions."""
    container = kind(X)
    if container is None:
        values = np.asarray(X)
        X = np.asarray(X, dtype=object) if values.dtype.kind in "US" else values
    elif container == "numpy" and X.dtype.kind in "US":
        X = X.astype(object)
    if len(X.shape) != 2:
        raise ValueError(
            f"Expected 2D array, got {len(X.shape)}D array instead: {name} has shape {tuple(X.shape)}. "
            "Reshape your data: X.reshape(-1, 1) for a single feature, X.reshape(1, -1) for a single sample."
        )
    if getattr(getattr(X, "dtype", None), "kind", None) == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {X.dtype}.")
    return X.tocsr() if container == "sparse" and X.format not in ("csr", "csc") else X


def column_names(X) -> list | None:
    """Names of the columns of a data frame, None for other containers."""
    return list(X.columns) if kind(X) in FRAMES else None


def get_column(X, position: int):
    """One column as it lies in X: a series for a data frame, else a dense 1-D array."""
    container = kind(X)
    if container == "pandas":
        return X.iloc[:, position]
    if container == "polars":
        return X.to_series(position)
    if container == "sparse":
        return X[:, [position]].toarray().ravel()
    return X[:, position]


def to_numpy(column) -> np.ndarray:
    """A series, an array of any namespace, or what NumPy makes one of, as a NumPy array; cupyx's sparse as SciPy's."""
    if hasattr(column, "to_numpy"):
        return column.to_numpy()
    elsewhere = kind(column) == "array" and hasattr(column, "get") or is_device_sparse(column)
    return column.get() if elsewhere else np.asarray(column)


def drop_column(X, position: int):
    """X without one column; a view where the container allows it."""
    container, last = kind(X), X.shape[1] - 1
    if container == "polars":
        return X.drop(X.columns[position])
    if container == "pandas":
        return X.iloc[:, [j for j in range(last + 1) if j != position]]
    if position == 0:
        return X[:, 1:]
    if position == last:
        return X[:, :last]
    if container == "array":
        return array_namespace(X).concat([X[:, :position], X[:, position + 1 :]], axis=1)
    return X[:, np.delete(np.arange(last + 1), position)]


def insert_column(X, position: int, column, name):
    """X with one more column; the dtype of the others changes only where the new values would not fit."""
    container = kind(X)
    if container == "pandas":
        X = X.copy(deep=False)
        # `.array` keeps the dtype of a series and leaves its index behind; pandas would align on it.
        X.insert(position, name, column.array if hasattr(column, "array") else to_numpy(column))
        return X
    if container == "polars":
        return X.clone().insert_column(position, _polars_series(name, column))
    values = to_numpy(column)
    if container == "sparse":
        return _insert_sparse(X, position, values)
    if container == "array":
        xp = array_namespace(X)
        inserted = xp.asarray(values, dtype=X.dtype, device=device(X))[:, None]
        return xp.concat([X[:, :position], inserted, X[:, position:]], axis=1)
    out = np.empty((X.shape[0], X.shape[1] + 1), dtype=common_dtype(X.dtype, values))
    out[:, :position], out[:, position], out[:, position + 1 :] = X[:, :position], values, X[:, position:]
    return out


def _polars_series(name, column):
    pl = sys.modules["polars"]
    if isinstance(column, pl.Series):
        return column.alias(name)
    values = to_numpy(column)
    return pl.Series(name, values.tolist() if values.dtype == object else values)


def _insert_sparse(X, position, values):
    if values.dtype.kind not in "biuf":
        raise ValueError(
            "A sparse matrix cannot hold task labels that are not numbers: number the tasks 0, 1, ... "
            "or make the features dense (sparse_output=False in a transformer)."
        )
    new = sparse.csr_array if isinstance(X, sparse.sparray) else sparse.csr_matrix
    column = new(values.astype(common_dtype(X.dtype, values))[:, None])
    parts = [X[:, :position], column, X[:, position:]]
    return sparse.hstack([part for part in parts if part.shape[1]], format=X.format)


def common_dtype(dtype, values):
    """dtype that holds both: the given one when the values are integers it represents exactly."""
    if dtype.kind == "O" or values.dtype.kind not in "biuf":
        return np.dtype(object)
    if dtype.kind == "f" and values.dtype.kind in "biu":
        largest = np.abs(values.astype(np.float64)).max(initial=0.0)
        return dtype if largest <= 2 ** (np.finfo(dtype).nmant + 1) else np.dtype(np.float64)
    return np.result_type(dtype, values.dtype)


def take_rows(X, rows):
    """The given rows of a table, a series, an array or a list, in the given order."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if kind(X) == "array":
        xp = array_namespace(X)
        return xp.take(X, xp.asarray(rows, device=device(X)), axis=0)
    if sparse.issparse(X):
        return X[rows] if X.format in ("csr", "csc") else X.tocsr()[rows]
    if isinstance(X, list | tuple):
        return [X[i] for i in rows]
    return X[rows]


def concat_rows(parts):
    """Tables of one kind, one below the other."""
    first = parts[0]
    container = kind(first)
    if container == "pandas":
        return sys.modules["pandas"].concat(parts)
    if container == "polars":
        return sys.modules["polars"].concat(parts, how="vertical_relaxed")
    if container == "sparse":
        return sparse.vstack(parts, format=first.format)
    return array_namespace(first).concat(parts, axis=0)


def as_frame(X, library: str, names, like):
    """A dense table as a data frame of the library; a pandas frame takes over the index of ``like``."""
    if kind(X) == library:
        X = X.copy(deep=False) if library == "pandas" else X.clone()
        X.columns = list(names)
        return X
    values = X.to_numpy() if kind(X) in FRAMES else to_numpy(X)
    if library == "pandas":
        import pandas as pd

        return pd.DataFrame(values, columns=list(names), index=getattr(like, "index", None))
    import polars as pl

    return pl.DataFrame({name: values[:, j] for j, name in enumerate(names)}, strict=False)


def row_chunks(n_rows, n_columns, start=0, large=False):
    """Slices of rows few enough to be worked on without a second X in memory; large ones for a GPU."""
    step = max(1, (LARGE_CHUNK if large else CHUNK) // max(1, n_columns))
    return [slice(s, min(s + step, n_rows)) for s in range(start, n_rows, step)]
