"""Graphs between tasks, as a user gives them, matched to the columns of W."""

from __future__ import annotations

import numbers

import numpy as np
from scipy import sparse

from mtlreg.penalties._columns import NumberedColumns, column_groups, plain_label, shown_labels, warn_of_unknown

__all__ = ["plain_columns", "read_graph"]

FORMS = (
    "a list of edges (task, task, weight), a dict {(task, task): weight}, a data frame keyed by task, or an array of "
    "shape (n_tasks, n_tasks)"
)


def plain_columns(n_columns):
    """The columns of tasks 0, 1, ... that predict one number each, for penalties used without `bind`."""
    return NumberedColumns((t, None) for t in range(n_columns))


def read_graph(graph, columns):
    """Edges between columns of W for a graph between tasks.

    Columns are joined where their tasks are: those of the same class, if the tasks have several. What is keyed by task
    may name tasks that are not among the columns (a fold can lose one); their edges are left out, with a warning.

    Parameters
    ----------
    graph : list of (task, task, weight), dict, data frame, array or sparse matrix of shape (n_tasks, n_tasks)
        Symmetric. Arrays are in the order of the tasks. No edge: weight 0.
    columns : list of (task, class)

    Returns
    -------
    edges : int array of shape (m, 2)
        Every undirected edge once, the smaller column first, sorted.
    weights : float array of shape (m,)
        Not zero; may be negative.

    Raises
    ------
    ValueError, TypeError
        Naming ``graph``.
    """
    between = _task_edges(graph, columns)
    found = {}
    for group in column_groups(columns):
        column = {columns[k][0]: k for k in group}
        for (s, t), weight in between.items():
            if s in column and t in column:
                found[tuple(sorted((column[s], column[t])))] = weight
    edges = sorted(found)
    weights = np.array([found[edge] for edge in edges], dtype=np.float64)
    return np.array(edges, dtype=np.intp).reshape(-1, 2), weights


def _task_edges(graph, columns):
    """``{(task, task): weight}`` with each undirected edge between known tasks once."""
    tasks = list(dict.fromkeys(task for task, _ in columns))
    if hasattr(graph, "to_numpy") and hasattr(graph, "index") and hasattr(graph, "columns"):
        triples, named = _frame_edges(graph)
    elif sparse.issparse(graph) or hasattr(graph, "__array__"):
        triples, named = _matrix_edges(graph, tasks), tasks
    else:
        triples, named = _listed_edges(graph)
    if named and not set(named) & set(tasks):
        raise ValueError(
            f"graph names none of the tasks: it has {shown_labels(named)}, the data have {shown_labels(tasks)}. "
            "Key it by the labels of the tasks."
        )
    warn_of_unknown("graph", named, columns)
    edges = {}
    for s, t, weight in triples:
        weight = _weight(s, t, weight)
        if s == t and weight != 0:
            raise ValueError(f"graph joins task {s!r} with itself; leave such edges out (a diagonal of zeros).")
        if edges.setdefault((t, s) if (t, s) in edges else (s, t), weight) != weight:
            raise ValueError(
                f"graph is not symmetric: {s!r} and {t!r} are joined with two weights. Give each edge once."
            )
    known = set(tasks)
    return {(s, t): w for (s, t), w in edges.items() if w != 0 and s in known and t in known}


def _listed_edges(graph):
    """Triples of a list of edges or a dict, and the tasks they name."""
    if isinstance(graph, dict):
        entries = [(*key, weight) if isinstance(key, tuple) else (key, weight) for key, weight in graph.items()]
    elif isinstance(graph, list | tuple):
        entries = list(graph)
    else:
        raise TypeError(f"graph must be {FORMS}, got {type(graph).__name__}.")
    for entry in entries:
        if not isinstance(entry, list | tuple) or len(entry) != 3:
            raise ValueError(f"graph has the entry {entry!r}, which is no edge (task, task, weight).")
    triples = [(plain_label(s, "graph"), plain_label(t, "graph"), weight) for s, t, weight in entries]
    return triples, [task for s, t, _ in triples for task in (s, t)]


def _frame_edges(graph):
    """Triples of a data frame with a row and a column for each task."""
    rows, columns = ([plain_label(a, "graph") for a in axis] for axis in (graph.index, graph.columns))
    if len(set(rows)) < len(rows) or len(columns) != len(rows) or set(rows) != set(columns):
        raise ValueError("graph needs the same task labels as index and as columns, each once.")
    return _matrix_edges(graph[list(graph.index)].to_numpy(), rows), rows


def _matrix_edges(matrix, tasks):
    """Triples of a symmetric matrix whose rows and columns are these tasks."""
    A = matrix if sparse.issparse(matrix) else sparse.coo_array(_numbers(matrix))
    if A.ndim != 2 or A.shape[0] != A.shape[1]:
        raise ValueError(f"graph must be square, got shape {A.shape}.")
    if A.shape[0] != len(tasks):
        raise ValueError(
            f"graph has shape {A.shape} for {len(tasks)} tasks; an array has one row for each task of the data, in "
            "their order. Key it by task (a list of edges, a dict, a data frame) if tasks may be missing."
        )
    A = sparse.coo_array(A)
    A.sum_duplicates()
    if not np.isfinite(A.data).all():
        raise ValueError("graph contains NaN or infinity; where two tasks are not joined the weight is 0.")
    difference = abs(A - A.T)
    if difference.nnz and difference.max() > 1e-10 * abs(A).max():
        i, j = np.unravel_index(int(difference.tocoo().toarray().argmax()), A.shape)
        raise ValueError(
            f"graph is not symmetric: tasks {shown_labels(tasks[i : i + 1])} and {shown_labels(tasks[j : j + 1])} are "
            "joined with two weights. Give (graph + graph.T) / 2."
        )
    upper = A.row <= A.col
    triples = zip(A.row[upper], A.col[upper], A.data[upper], strict=True)
    return [(tasks[i], tasks[j], float(weight)) for i, j, weight in triples]


def _numbers(matrix):
    if hasattr(matrix, "get") and not isinstance(matrix, np.ndarray):  # on a GPU
        matrix = matrix.get()
    try:
        A = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"graph must hold numbers: {error}.") from error
    if A.ndim != 2:
        raise ValueError(f"graph must be square, got shape {A.shape}.")
    return A


def _weight(s, t, weight):
    if isinstance(weight, bool | np.bool_) or isinstance(weight, numbers.Real):
        weight = float(weight)
        if np.isfinite(weight):
            return weight
    raise ValueError(f"graph has the weight {weight!r} between {s!r} and {t!r}; it must be a finite number.")
