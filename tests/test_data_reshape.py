"""Between lists of tasks, shared rows and one table with a task column."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from mtlreg.data import melt, split_task_column, stack_tasks, unmelt

FEATURES = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])


def in_container(container):
    """The features as a table of the container."""
    if container in ("pandas", "polars"):
        library = pd if container == "pandas" else pl
        return library.DataFrame({"a": FEATURES[:, 0], "b": FEATURES[:, 1]})
    return FEATURES if container == "numpy" else getattr(sparse, container)(FEATURES)


def dense(X):
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


# stack_tasks


def test_stack_arrays():
    X, y = stack_tasks([FEATURES, FEATURES[:1]], [[1, 2, 3, 4], [5]])
    assert_array_equal(X, np.column_stack([np.vstack([FEATURES, FEATURES[:1]]), [0, 0, 0, 0, 1]]))
    assert_array_equal(y, [1, 2, 3, 4, 5])
    rest, tasks, _ = split_task_column(X, -1)
    assert_array_equal(tasks, [0, 0, 0, 0, 1])
    assert np.shares_memory(rest, X)


def test_stack_keeps_float32_where_it_holds_the_task():
    Xs, ys = [FEATURES.astype(np.float32)] * 2, [np.ones(4, dtype=np.float32)] * 2
    X, y = stack_tasks(Xs, ys, tasks=[5, 2**24])
    assert X.dtype == y.dtype == np.float32
    X, _ = stack_tasks(Xs, ys, tasks=[5, 2**24 + 1])
    assert X.dtype == np.float64
    assert set(X[:, -1]) == {5, 2**24 + 1}
    assert stack_tasks([FEATURES.astype(int)], [[1, 2, 3, 4]])[0].dtype == np.float64


def test_stack_dicts_and_column_vectors():
    X, y = stack_tasks({20: FEATURES[:1], 10: FEATURES[1:]}, {10: np.ones((3, 1)), 20: [7.0]})
    assert_array_equal(X[:, -1], [20, 10, 10, 10])
    assert_array_equal(y, [7, 1, 1, 1])


def test_stack_arrays_with_string_tasks_keeps_the_dtype_in_a_data_frame():
    X, _ = stack_tasks([FEATURES.astype(np.float32)] * 2, [np.ones(4)] * 2, tasks=["u", "v"])
    assert list(X.columns) == ["x0", "x1", "task"]
    assert X["x0"].dtype == np.float32
    for task_feature in ("task", -1):
        rest, tasks, _ = split_task_column(X, task_feature)
        assert_array_equal(rest, np.vstack([FEATURES, FEATURES]))
        assert tasks.tolist() == ["u"] * 4 + ["v"] * 4


@pytest.mark.parametrize("library", [pd, pl])
def test_stack_data_frames(library):
    first = library.DataFrame({"a": [1.0, 2.0], "b": ["p", "q"]})
    second = library.DataFrame({"b": ["r"], "a": [3.0]})
    X, y = stack_tasks([first, second], [[1, 2], [3]], tasks=["s", "t"], task_name="site")
    assert isinstance(X, library.DataFrame)
    assert list(X.columns) == ["a", "b", "site"]
    assert X["a"].to_list() == [1.0, 2.0, 3.0]
    assert X["b"].to_list() == ["p", "q", "r"]
    assert X["site"].to_list() == ["s", "s", "t"]
    assert_array_equal(y, [1, 2, 3])
    if library is pd:
        assert_array_equal(X.index, [0, 1, 2])


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array"])
def test_stack_sparse(kind):
    X, _ = stack_tasks([getattr(sparse, kind)(FEATURES)] * 2, [np.ones(4)] * 2, tasks=[3, 0])
    assert X.format == "csr"
    assert_array_equal(X.toarray()[:, -1], [3] * 4 + [0] * 4)
    with pytest.raises(ValueError, match="sparse matrix cannot hold task labels that are not numbers"):
        stack_tasks([getattr(sparse, kind)(FEATURES)], [np.ones(4)], tasks=["u"])


@pytest.mark.parametrize(
    ("Xs", "ys", "tasks", "error", "message"),
    [
        (
            [FEATURES, FEATURES[:, :1]],
            [[1] * 4] * 2,
            "uv",
            ValueError,
            "Task 'v' has 1 features, task 'u' has 2",
        ),
        ([FEATURES], [[1, 2]], ["u"], ValueError, "Task 'u' has 4 rows in X and 2 labels"),
        ([FEATURES, FEATURES[:0]], [[1] * 4, []], "uv", ValueError, "Task 'v' has no rows"),
        ([FEATURES], [np.ones((4, 2))], ["u"], ValueError, r"y of task 'u' has shape \(4, 2\)"),
        ([FEATURES[0]], [[1]], ["u"], ValueError, r"X of task 'u' has shape \(2,\)"),
        ([FEATURES] * 2, [[1] * 4], None, ValueError, "Xs has 2 tasks and ys has 1"),
        ([], [], None, ValueError, "Xs has 0 tasks"),
        ([FEATURES] * 2, [[1] * 4] * 2, ["u"], ValueError, "1 labels for 2 tasks"),
        ([FEATURES] * 2, [[1] * 4] * 2, ["u", "u"], ValueError, "'u' more than once"),
        ([FEATURES] * 2, [[1] * 4] * 2, ["u", None], ValueError, "tasks has 1 missing values"),
        ([FEATURES] * 2, [[1] * 4, ["p"] * 4], None, ValueError, "tasks 0 and 1 mix numbers and strings"),
        ({1: FEATURES}, {2: [1] * 4}, None, ValueError, r"only one of Xs and ys: \[1, 2\]"),
        ({1: FEATURES}, {1: [1] * 4}, [1], ValueError, "keys of the dicts"),
        ({1: FEATURES}, [[1] * 4], None, TypeError, "both be dicts"),
        ([FEATURES, pd.DataFrame(FEATURES)], [[1] * 4] * 2, None, TypeError, "task 1 is a DataFrame"),
    ],
)
def test_stack_names_what_is_wrong(Xs, ys, tasks, error, message):
    with pytest.raises(error, match=message):
        stack_tasks(Xs, ys, tasks)


def test_stack_rejects_columns_that_differ():
    frame = pd.DataFrame(FEATURES, columns=["a", "b"])
    with pytest.raises(ValueError, match=r"tasks 0 and 1 has the columns \['b', 'c'\]"):
        stack_tasks([frame, frame.rename(columns={"b": "c"})], [[1] * 4] * 2)
    with pytest.raises(ValueError, match="already has a column 'a'"):
        stack_tasks([frame], [[1] * 4], task_name="a")


# melt and unmelt


Y = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, np.nan], [np.nan, np.nan, np.nan], [7.0, 8.0, 9.0]])


@pytest.mark.parametrize("container", ["numpy", "pandas", "polars", "csr_array", "csc_matrix"])
def test_melt_and_back(container):
    X_long, y_long, rows = melt(in_container(container), Y, tasks=[10, 20, 30], return_index=True)
    assert_array_equal(rows, [0, 1, 3, 1, 3, 0, 3])
    assert_array_equal(y_long, [1, 4, 7, 5, 8, 3, 9])
    assert_array_equal(dense(X_long), np.column_stack([FEATURES[rows], [10, 10, 10, 20, 20, 30, 30]]))
    for index in (rows, None):  # the order of first rows is the order of the samples here
        X_back, Y_back, tasks = unmelt(X_long, y_long, task_feature=-1, index=index)
        assert type(X_back) is type(X_long)
        assert_array_equal(dense(X_back), FEATURES[[0, 1, 3]])
        assert_array_equal(Y_back, Y[[0, 1, 3]])
        assert_array_equal(tasks, [10, 20, 30])


def test_melt_labels_tasks_by_the_columns_of_a_data_frame():
    for library in (pd, pl):
        frame = library.DataFrame({"u": [1, None, 2, 3], "v": [None, 4, None, 5]})
        X_long, y_long = melt(library.DataFrame(FEATURES, ["x0", "x1"]) if library is pl else FEATURES, frame)
        assert X_long["task"].to_list() == ["u", "u", "u", "v", "v"]
        assert_array_equal(y_long, [1, 2, 3, 4, 5])
    X_long, _ = melt(sparse.csr_array(FEATURES), pd.DataFrame(Y, columns=list("uvw")))
    assert_array_equal(X_long.toarray()[:, -1], [0, 0, 0, 1, 1, 2, 2])  # only numbers fit


def test_melt_one_task_and_labels_of_any_type():
    X_long, y_long = melt(FEATURES, pd.Series([1.0, None, 2.0, 3.0], name="weight"))
    assert set(X_long["task"]) == {"weight"}
    assert_array_equal(y_long, [1, 2, 3])
    _, y_long = melt(FEATURES, [["p", None], [None, "q"], ["r", pd.NA], ["s", "t"]])
    assert y_long.tolist() == ["p", "r", "s", "q", "t"]
    _, y_long = melt(FEATURES, [[1, None], [None, 2], [3, None], [4, 5]])
    assert y_long.dtype == np.int64
    _, y_long = melt(FEATURES.astype(np.float32), Y.astype(np.float32))
    assert y_long.dtype == np.float32


def test_melt_warns_of_empty_tasks_and_rejects_bad_input():
    empty = Y.copy()
    empty[:, 1] = np.nan
    with pytest.warns(UserWarning, match=r"without a label are left out: \['v'\]"):
        X_long, _ = melt(FEATURES, empty, tasks=["u", "v", "w"])
    assert set(X_long["task"]) == {"u", "w"}
    with pytest.raises(ValueError, match="every value is missing"):
        melt(FEATURES, np.full((4, 2), np.nan))
    with pytest.raises(ValueError, match="X has 4 rows and Y has 3"):
        melt(FEATURES, Y[:3])
    with pytest.raises(ValueError, match=r"Y must have shape \(n_samples, n_tasks\)"):
        melt(FEATURES, np.ones((4, 2, 2)))


def test_unmelt_sorts_by_the_index_and_checks_it():
    X_long, y_long = np.array([[5.0, 0], [3.0, 0], [5.0, 1]]), [1.0, 2.0, 3.0]
    X, Y_back, _ = unmelt(X_long, y_long, task_feature=-1, index=["b", "a", "b"])
    assert_array_equal(X, [[3.0], [5.0]])
    assert_array_equal(Y_back, [[2.0, np.nan], [1.0, 3.0]])
    with pytest.raises(ValueError, match="Sample 'a' has rows with different features .row 0 and row 1"):
        unmelt(X_long, y_long, task_feature=-1, index=["a", "a", "b"])
    with pytest.raises(ValueError, match=r"index has shape \(2,\)"):
        unmelt(X_long, y_long, task_feature=-1, index=[0, 1])
    with pytest.raises(ValueError, match="X_long has 3 rows and y_long has 2"):
        unmelt(X_long, y_long[:2], task_feature=-1)


def test_unmelt_names_a_label_given_twice():
    X_long = np.array([[5.0, 0], [3.0, 0], [5.0, 0]])
    with pytest.raises(ValueError, match="A sample has two labels of task 0, in rows 0 and 2"):
        unmelt(X_long, [1.0, 2.0, 3.0], task_feature=-1)
    with pytest.raises(ValueError, match="Sample 9 has two labels of task 0, in rows 0 and 2"):
        unmelt(X_long, [1.0, 2.0, 3.0], task_feature=-1, index=[9, 8, 9])


def test_unmelt_compares_features_by_value():
    X_long = np.array([[0.0, np.nan, 0], [-0.0, np.nan, 1]])
    X, Y_back, _ = unmelt(X_long, [1, 2], task_feature=-1)
    assert X.shape == (1, 2)
    assert_array_equal(Y_back, [[1.0, 2.0]])
    frame = pd.DataFrame({"site": ["u", "v", "u"], "city": ["p", "p", "q"], "a": [1, 1, 1]}, index=[7, 8, 9])
    X, labels, tasks = unmelt(frame, ["yes", "no", "no"], task_feature="site")
    assert X["city"].tolist() == ["p", "q"]
    assert_array_equal(X.index, [0, 1])
    assert labels.tolist() == [["yes", "no"], ["no", None]]
    assert tasks.tolist() == ["u", "v"]
