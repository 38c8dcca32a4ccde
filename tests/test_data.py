"""The task column: splitting it off, ranking it in feature selection."""

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

from mtlreg.data import feature_importance, split_task_column

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


NO_DATA_FRAMES = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name in ("pandas", "polars"):
            raise ImportError(name)

sys.meta_path.insert(0, Block())
import numpy as np
from mtlreg import datasets, metrics
from mtlreg.data import melt, split_task_column, stack_tasks

X, y = stack_tasks([np.ones((2, 1))], [[1, 2]])
split_task_column(X, -1), melt(X, y), metrics.macro_r2(y, y)
try:
    stack_tasks([np.ones((2, 1))], [[1, 2]], tasks=["u"])
except ImportError as error:
    assert "install pandas, or number the tasks" in str(error)
else:
    raise AssertionError
"""


def test_works_without_a_data_frame_library():
    subprocess.run([sys.executable, "-c", NO_DATA_FRAMES], check=True)


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
