"""Splitting, stacking and melting tables with a task column; the transformers are in test_data_transformers.py."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import Ridge

from mtlreg.data import feature_importance, melt, split_task_column, stack_tasks, unmelt

FEATURES = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
TASKS = np.array([2, 1, 2, 1])
CONTAINERS = ["numpy", "pandas", "polars", "csr_array", "csc_matrix"]


def table(container, position=2, tasks=TASKS, features=FEATURES):
    """Features and a task column "task" at the position, in a container."""
    X = np.insert(features, position, tasks, axis=1)
    names = np.insert(np.array(["a", "b"], dtype=object), position, "task")
    if container == "pandas":
        return pd.DataFrame(X, columns=names)
    if container == "polars":
        return pl.DataFrame(X, schema=list(names))
    return X if container == "numpy" else getattr(sparse, container)(X)


def dense(X):
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


# split_task_column


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("negative", [False, True])
def test_split_by_position(container, position, negative):
    X = table(container, position)
    rest, tasks, found = split_task_column(X, position - 3 if negative else position)
    assert type(rest) is type(X)
    assert_array_equal(dense(rest), FEATURES)
    assert_array_equal(tasks, TASKS)
    assert tasks.dtype == np.int64
    assert found == position


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_split_by_name(container):
    rest, tasks, position = split_task_column(table(container, 1), "task")
    assert list(rest.columns) == ["a", "b"]
    assert_array_equal(tasks, TASKS)
    assert position == 1


@pytest.mark.parametrize("position", [0, -1])
def test_split_copies_nothing_at_the_ends(position):
    X = table("numpy", position % 3)
    rest, _, _ = split_task_column(X, position)
    assert np.shares_memory(rest, X)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["x", "y", "x", "z"]),
        pd.Series(["x", "y", "x", "z"], dtype="category"),
        pd.Series(["x", "y", "x", "z"], dtype=object),
        pl.Series(["x", "y", "x", "z"]),
        pl.Series(["x", "y", "x", "z"], dtype=pl.Categorical),
    ],
    ids=["str", "category", "object", "polars", "polars categorical"],
)
def test_split_string_tasks(column):
    library = pl if isinstance(column, pl.Series) else pd
    X = library.DataFrame({"a": FEATURES[:, 0], "task": column})
    _, tasks, _ = split_task_column(X, "task")
    assert tasks.dtype == object
    assert tasks.tolist() == ["x", "y", "x", "z"]


def test_split_integers_of_a_nullable_column_stay_integers():
    X = pd.DataFrame({"a": [0.5, 1.0], "task": pd.array([3, 4], dtype="Int64")})
    assert split_task_column(X, "task")[1].dtype == np.int64


def test_split_object_array():
    X = np.array([[1, "u", 2.5], [3, "v", 4.5]], dtype=object)
    rest, tasks, _ = split_task_column(X, 1)
    assert rest.dtype == np.float64
    assert_array_equal(rest, [[1, 2.5], [3, 4.5]])
    assert tasks.tolist() == ["u", "v"]
    assert_array_equal(split_task_column(X.tolist(), 1)[0], rest)  # nested lists keep their numbers
    assert_array_equal(split_task_column(X.astype(str), 1)[0], rest)


def test_split_object_array_names_the_column_that_is_no_number():
    X = np.array([["t", 1.0, 2.0, "red"], ["u", 1.0, 2.0, "blue"]], dtype=object)
    with pytest.raises(ValueError, match=r"Column 3 of X cannot be converted to numbers.*'red'"):
        split_task_column(X, 0)
    with pytest.raises(TypeError, match=r"Column 1 .* argument must be a string or a real number"):
        split_task_column(np.array([["t", {}], ["u", {}]], dtype=object), 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_split_keeps_the_dtype(dtype):
    assert split_task_column(table("numpy").astype(dtype), -1)[0].dtype == dtype


def test_split_array_api():
    xp = pytest.importorskip("array_api_strict")
    for position in range(3):
        rest, tasks, _ = split_task_column(xp.asarray(table("numpy", position)), position)
        assert_array_equal(np.asarray(rest), FEATURES)
        assert isinstance(tasks, np.ndarray)
        assert_array_equal(tasks, TASKS)


@pytest.mark.parametrize("container", CONTAINERS)
def test_split_warns_of_scaled_tasks(container):
    X = table(container, tasks=np.array([-1.2, 0.5, -1.2, 0.5]))
    with pytest.warns(UserWarning, match=r"not integers, such as -1.2: a scaler .* KeepTask"):
        _, tasks, _ = split_task_column(X, -1)
    assert_array_equal(tasks, [-1.2, 0.5, -1.2, 0.5])


@pytest.mark.parametrize(
    "column",
    [
        np.array([1.0, np.nan, 2.0]),
        pd.Series(["x", None, "y"]),
        pd.Series(["x", np.nan, "y"], dtype="category"),
        pd.array([1, None, 2], dtype="Int64"),
        pd.to_datetime(["2020-01-01", None, "2021-01-01"]),
        pl.Series(["x", None, "y"]),
        pl.Series([1, None, 2]),
    ],
    ids=["nan", "str", "category", "Int64", "datetime", "polars str", "polars int"],
)
def test_split_rejects_missing_tasks(column):
    library = pl if isinstance(column, pl.Series) else pd
    X = library.DataFrame({"a": [0.0, 1.0, 2.0], "task": column})
    with pytest.raises(ValueError, match=r"'task'\) has 1 missing values, the first at row 1"):
        split_task_column(X, "task")


def test_split_rejects_infinite_and_mixed_tasks():
    with pytest.raises(ValueError, match="infinite value at row 1"):
        split_task_column(np.array([[0.0, 1.0], [0.0, np.inf]]), 1)
    with pytest.raises(ValueError, match="mixes labels of types int, str"):
        split_task_column(np.array([[0.0, 1], [0.0, "x"]], dtype=object), 1)


@pytest.mark.parametrize(
    ("task_feature", "error", "message"),
    [
        (True, TypeError, "boolean"),
        (np.True_, TypeError, "boolean"),
        (1.0, TypeError, "column name or a position"),
        (None, TypeError, "column name or a position"),
        (3, ValueError, "X has 3 columns, so that a position lies between -3 and 2"),
        (-4, ValueError, "out of range"),
        ("Task", ValueError, r"Its columns are 'a', 'b', 'task'\. Did you mean 'task'\?"),
        ("school", ValueError, r"no column 'school' \(task_feature\)\. Its columns are 'a', 'b', 'task'\.$"),
    ],
)
def test_split_rejects_task_feature(task_feature, error, message):
    with pytest.raises(error, match=message):
        split_task_column(table("pandas"), task_feature)


def test_split_explains_lost_and_changed_names():
    with pytest.raises(ValueError, match=r"ndarray without names.*set_output\(transform='pandas'\)"):
        split_task_column(table("numpy"), "task")
    X = table("pandas").rename(columns={"task": "remainder__task"})
    with pytest.raises(ValueError, match="'remainder__task' looks like it.*verbose_feature_names_out=False"):
        split_task_column(X, "task")
    with pytest.raises(ValueError, match="2 columns 'task'"):
        split_task_column(pd.DataFrame(np.ones((2, 3)), columns=["a", "task", "task"]), "task")


def test_split_rejects_shapes():
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        split_task_column(np.ones(3), 0)
    with pytest.raises(ValueError, match="n_features = 1"):
        split_task_column(np.ones((3, 1)), 0)
    with pytest.raises(ValueError, match=r"0 feature\(s\) \(shape=\(3, 0\)\)"):
        split_task_column(np.ones((3, 0)), 0)
    with pytest.raises(ValueError, match="Complex data not supported"):
        split_task_column(np.ones((3, 2), dtype=complex), 0)


def test_importing_loads_no_data_frame_library():
    code = (
        "import sys, numpy as np; from mtlreg.data import *; from mtlreg import metrics, datasets;"
        "split_task_column(np.ones((3, 2)), 0); stack_tasks([np.ones((2, 1))], [[1, 2]]);"
        "assert not {'pandas', 'polars'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


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
        ([FEATURES, FEATURES[:, :1]], [[1] * 4] * 2, "uv", ValueError, "Task 'v' has 1 features, task 'u' has 2"),
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


@pytest.mark.parametrize("container", CONTAINERS)
def test_melt_and_back(container):
    X = split_task_column(table(container), -1)[0]
    X_long, y_long, rows = melt(X, Y, tasks=[10, 20, 30], return_index=True)
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


# feature_importance


class TaskColumnRidge(RegressorMixin, BaseEstimator):
    """One ridge for all tasks, with the interface of an estimator that has a task column."""

    def __init__(self, task_feature=None):
        self.task_feature = task_feature

    def fit(self, X, y):
        if self.task_feature is not None:
            X, _, self.task_position_ = split_task_column(X, self.task_feature)
        self.coef_ = Ridge().fit(X, y).coef_
        return self


def test_feature_importance_is_the_norm_over_tasks():
    estimator = TaskColumnRidge()
    estimator.coef_ = np.array([[3.0, 0.0], [4.0, 1.0]])
    assert_array_equal(feature_importance(estimator), [5.0, 1.0])
    estimator.task_feature, estimator.task_position_ = "task", 1
    importance = feature_importance(estimator)
    assert importance.shape == (3,)
    assert_array_equal(importance[[0, 2]], [5.0, 1.0])
    assert 5.0 < importance[1] < 5.0 + 1e-14
    estimator.coef_ = np.zeros(2)
    assert_array_equal(feature_importance(estimator), [0.0, 1.0, 0.0])


@pytest.mark.parametrize("options", [{}, {"threshold": "median"}, {"max_features": 1, "threshold": -np.inf}])
def test_select_from_model_keeps_the_task(options):
    rng = np.random.RandomState(0)
    X = np.column_stack([rng.standard_normal((40, 3)), np.arange(40) % 4])
    y = 5 * X[:, 1] + 0.01 * rng.standard_normal(40)
    selector = SelectFromModel(TaskColumnRidge(-1), importance_getter=feature_importance, **options).fit(X, y)
    assert selector.get_support()[-1]
    if "max_features" not in options:
        assert_array_equal(selector.get_support(indices=True)[-2:], [1, 3])
    y = 0.0 * y
    assert SelectFromModel(TaskColumnRidge(-1), importance_getter=feature_importance).fit(X, y).get_support()[3]
