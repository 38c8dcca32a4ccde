"""The transformers that know of the task column."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.utils.estimator_checks import parametrize_with_checks

from mtlreg.data import AppendTask, KeepTask, split_task_column

RNG = np.random.RandomState(0)
FEATURES = RNG.standard_normal((12, 3)) * [1, 10, 100] + 5
TASKS = np.array([2, 0, 1] * 4)
SITES = np.array(["u", "v", "w"], dtype=object)[TASKS]
SCALED = StandardScaler().fit_transform(FEATURES)
BY_TASK = np.empty_like(FEATURES)
for task in range(3):
    BY_TASK[TASKS == task] = StandardScaler().fit_transform(FEATURES[TASKS == task])


def frame(library, position=1, tasks=SITES):
    columns = {name: FEATURES[:, j] for j, name in enumerate("abc")}
    names = list("abc")
    names.insert(position, "site")
    data = {name: list(tasks) if name == "site" else columns[name] for name in names}
    return pd.DataFrame(data, index=np.arange(12) + 100) if library is pd else pl.DataFrame(data)


# KeepTask


@pytest.mark.parametrize("per_task", [False, True])
@pytest.mark.parametrize("position", [0, 1, 3])
def test_keep_task_arrays(per_task, position):
    X = np.insert(FEATURES, position, TASKS, axis=1)
    before = X.copy()
    keep = KeepTask(StandardScaler(), position - 4, per_task=per_task)
    for out in (keep.fit_transform(X), keep.fit(X).transform(X)):
        assert_array_equal(out[:, position], TASKS)
        assert_allclose(np.delete(out, position, axis=1), BY_TASK if per_task else SCALED)
    assert_array_equal(X, before)
    assert keep.task_position_ == position
    assert keep.n_features_in_ == 4
    assert list(keep.transformers_) == [0, 1, 2] if per_task else hasattr(keep, "transformer_")


@pytest.mark.parametrize("per_task", [False, True])
@pytest.mark.parametrize("library", [pd, pl])
def test_keep_task_data_frames(library, per_task):
    X = frame(library)
    keep = KeepTask(StandardScaler(), "site", per_task=per_task).fit(X)
    out = keep.transform(X)
    assert isinstance(out, library.DataFrame)
    assert list(out.columns) == list(keep.get_feature_names_out()) == ["a", "site", "b", "c"]
    assert out["site"].to_list() == SITES.tolist()
    assert_allclose(split_task_column(out, "site")[0].to_numpy(), BY_TASK if per_task else SCALED)
    if library is pd:
        assert list(keep.feature_names_in_) == ["a", "site", "b", "c"]
        assert_array_equal(out.index, X.index)
        assert out["site"].dtype == X["site"].dtype
        assert out["a"].dtype == np.float64


@pytest.mark.parametrize("library", [None, "pandas", "polars"])
def test_keep_task_columns_without_names(library):
    values = np.insert(FEATURES, 1, TASKS, axis=1)
    keep = KeepTask(StandardScaler(), 1)
    if library is not None:
        keep.set_output(transform=library)
        assert list(keep.fit_transform(values).columns) == ["x0", "x1", "x2", "x3"]
    out = keep.fit_transform(pd.DataFrame(values))  # integers as column names
    assert list(out.columns) == list(keep.get_feature_names_out()) == ["x0", "x1", "x2", "x3"]
    assert out["x1"].to_list() == TASKS.tolist()


def test_keep_task_keeps_a_categorical():
    X = frame(pd).astype({"site": "category"})
    assert KeepTask(StandardScaler(), "site").fit_transform(X)["site"].dtype == "category"


@pytest.mark.parametrize("target", ["pandas", "polars"])
@pytest.mark.parametrize("source", ["numpy", "pandas", "polars"])
@pytest.mark.parametrize("when", ["before fit", "after fit", "global"])
def test_keep_task_set_output(source, target, when):
    X = np.column_stack([FEATURES, TASKS]) if source == "numpy" else frame({"pandas": pd, "polars": pl}[source])
    keep = KeepTask(StandardScaler(), -1 if source == "numpy" else "site")
    with sklearn.config_context(transform_output=target if when == "global" else "default"):
        if when == "before fit":
            keep.set_output(transform=target)
        keep = clone(keep).fit(X)
        if when == "after fit":
            keep.set_output(transform=target)
        out = keep.transform(X)
    assert type(out).__module__.startswith(target)
    names = ["x0", "x1", "x2", "x3"] if source == "numpy" else ["a", "site", "b", "c"]
    assert list(out.columns) == names
    tasks = out[names[3 if source == "numpy" else 1]].to_list()
    assert tasks == (TASKS if source == "numpy" else SITES).tolist()
    assert_allclose(out[names[0]].to_numpy(), SCALED[:, 0])


@pytest.mark.parametrize("per_task", [False, True])
@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array"])
def test_keep_task_sparse(kind, per_task):
    X = getattr(sparse, kind)(np.insert(FEATURES, 1, TASKS, axis=1))
    out = KeepTask(MaxAbsScaler(), 1, per_task=per_task).fit_transform(X)
    assert sparse.issparse(out)
    assert isinstance(out, sparse.sparray) == (kind != "csc_matrix")
    expected = KeepTask(MaxAbsScaler(), 1, per_task=per_task).fit_transform(X.toarray())
    assert_allclose(out.toarray(), expected)


def test_keep_task_string_tasks_in_an_object_array():
    X = np.column_stack([FEATURES.astype(object), SITES])
    out = KeepTask(StandardScaler(), -1).fit_transform(X)
    assert out.dtype == object
    rest, tasks, _ = split_task_column(out, -1)
    assert_allclose(rest, SCALED)
    assert tasks.tolist() == SITES.tolist()


def test_keep_task_array_api():
    xp = pytest.importorskip("array_api_strict")
    X = xp.asarray(np.insert(FEATURES, 1, TASKS, axis=1))
    halve = FunctionTransformer(lambda rest: rest / 2.0)
    for per_task in (False, True):
        out = KeepTask(halve, 1, per_task=per_task).fit_transform(X)
        assert type(out) is type(X)
        assert_allclose(np.asarray(out), np.insert(FEATURES / 2, 1, TASKS, axis=1))


def test_keep_task_keeps_float32():
    X = np.column_stack([FEATURES, TASKS]).astype(np.float32)
    assert KeepTask(StandardScaler(), -1).fit_transform(X).dtype == np.float32
    assert KeepTask(StandardScaler(), -1, per_task=True).fit_transform(X).dtype == np.float32


def test_keep_task_goes_last_when_the_width_changes():
    X = np.column_stack([TASKS, FEATURES])
    keep = KeepTask(PCA(2), 0).fit(X)
    out = keep.transform(X)
    assert_allclose(out[:, :2], PCA(2).fit_transform(FEATURES))
    assert_array_equal(out[:, 2], TASKS)
    assert list(keep.get_feature_names_out()) == ["pca0", "pca1", "x0"]
    out = KeepTask(PCA(2), "site").fit_transform(frame(pd, 0))
    assert list(out.columns) == ["pca0", "pca1", "site"]


def test_keep_task_with_sparse_result_and_string_tasks():
    X = pd.DataFrame({"site": ["u", "v"], "colour": ["red", "blue"]})
    with pytest.raises(ValueError, match="sparse_output=False"):
        KeepTask(OneHotEncoder(), "site").fit_transform(X)
    out = KeepTask(OneHotEncoder(sparse_output=False), "site").fit_transform(X)
    assert list(out.columns) == ["colour_blue", "colour_red", "site"]


def test_keep_task_names_without_a_transformer_that_has_them():
    keep = KeepTask(FunctionTransformer(np.abs), "site")
    assert list(keep.fit_transform(frame(pd)).columns) == ["a", "site", "b", "c"]
    keep = KeepTask(FunctionTransformer(lambda X: np.ones((len(X), 2))), "site")
    assert list(keep.fit_transform(frame(pd)).columns) == [
        "functiontransformer0",
        "functiontransformer1",
        "site",
    ]
    with pytest.raises(AttributeError, match="does not provide get_feature_names_out"):
        keep.get_feature_names_out()


def test_keep_task_checks_input_features():
    keep = KeepTask(StandardScaler(), "site").fit(frame(pd))
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        keep.get_feature_names_out(["p", "q", "r", "s"])
    keep = KeepTask(StandardScaler(), 1).fit(np.column_stack([FEATURES, TASKS])[:, [0, 3, 1, 2]])
    assert list(keep.get_feature_names_out(["p", "q", "r", "s"])) == ["p", "q", "r", "s"]
    with pytest.raises(ValueError, match=r"length equal to number of features \(4\), got 2"):
        keep.get_feature_names_out(["p", "q"])


def test_keep_task_per_task_rejects_new_tasks_and_different_columns():
    X = np.column_stack([FEATURES, TASKS])
    keep = KeepTask(StandardScaler(), -1, per_task=True).fit(X[TASKS < 2])
    assert_allclose(keep.transform(X[TASKS == 1])[:, :3], BY_TASK[TASKS == 1])
    with pytest.raises(ValueError, match=r"tasks \[2\]; fitted ones: \[0, 1\]. Use per_task=False"):
        keep.transform(X)
    y = np.where(TASKS == 0, FEATURES[:, 0], FEATURES[:, 1])
    with pytest.raises(ValueError, match="other columns for task 1 .x1. than for task 0 .x0."):
        KeepTask(SelectKBest(f_regression, k=1), -1, per_task=True).fit(X, y)


def test_keep_task_passes_fit_parameters_by_task():
    X, weights = np.column_stack([FEATURES, TASKS]), np.arange(12.0)
    keep = KeepTask(StandardScaler(), -1).fit(X, sample_weight=weights)
    assert_allclose(keep.transformer_.mean_, np.average(FEATURES, axis=0, weights=weights))
    keep = KeepTask(StandardScaler(), -1, per_task=True).fit(X, sample_weight=weights.tolist())
    expected = np.average(FEATURES[TASKS == 1], axis=0, weights=weights[TASKS == 1])
    assert_allclose(keep.transformers_[1].mean_, expected)


def test_keep_task_routes_metadata():
    X, y, weights = np.column_stack([FEATURES, TASKS]), np.arange(12.0), np.arange(1.0, 13.0)
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        model = LinearRegression().set_fit_request(sample_weight=False)
        for per_task in (False, True):
            keep = KeepTask(scaler, -1, per_task=per_task)
            pipeline = make_pipeline(keep, model).fit(X, y, sample_weight=weights)
            expected = KeepTask(StandardScaler(), -1, per_task=per_task)
            with sklearn.config_context(enable_metadata_routing=False):
                expected.fit(X, sample_weight=weights)
            assert_allclose(pipeline[0].transform(X), expected.transform(X))


class FitOnly(BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return -X


class CrossFitted(FitOnly):
    def fit_transform(self, X, y=None):
        return 0 * X


@pytest.mark.parametrize("per_task", [False, True])
def test_keep_task_uses_the_fit_transform_of_the_transformer(per_task):
    X = np.column_stack([FEATURES, TASKS])
    out = KeepTask(CrossFitted(), -1, per_task=per_task).fit_transform(X)
    assert_array_equal(out, np.column_stack([0 * FEATURES, TASKS]))
    out = KeepTask(CrossFitted(), -1, per_task=per_task).fit(X).transform(X)
    assert_array_equal(out, np.column_stack([-FEATURES, TASKS]))
    assert_array_equal(KeepTask(FitOnly(), -1, per_task=per_task).fit_transform(X), out)


def test_keep_task_scales_mixed_columns_of_a_column_transformer():
    X = frame(pd).assign(colour=["red", "blue"] * 6)
    inner = ColumnTransformer(
        [("scale", StandardScaler(), ["a", "b"])], remainder="passthrough", verbose_feature_names_out=False
    )
    out = KeepTask(inner, "site").set_output(transform="pandas").fit_transform(X)
    assert list(out.columns) == ["a", "site", "b", "c", "colour"]
    assert out["c"].dtype == np.float64
    assert_allclose(out[["a", "b"]], SCALED[:, :2])


class TaskMeans(RegressorMixin, BaseEstimator):
    """Mean of y in every task."""

    def __init__(self, task_feature="site"):
        self.task_feature = task_feature

    def fit(self, X, y):
        rest, tasks, _ = split_task_column(X, self.task_feature)
        self.means_ = {task: y[tasks == task].mean() for task in np.unique(tasks)}
        self.first_ = np.asarray(rest)[:, 0]
        return self

    def predict(self, X):
        return np.array([self.means_[task] for task in split_task_column(X, self.task_feature)[1]])


def test_keep_task_in_a_pipeline_and_a_search():
    X, y = frame(pd), TASKS + 0.1 * FEATURES[:, 0]
    pipeline = make_pipeline(KeepTask(StandardScaler(), "site"), TaskMeans())
    search = GridSearchCV(
        pipeline,
        {"keeptask__transformer__with_mean": [True, False], "keeptask__per_task": [True, False]},
        cv=2,
        error_score="raise",
    ).fit(X, y)
    assert search.best_score_ > 0.5
    best = clone(pipeline).set_params(keeptask__transformer__with_mean=False).fit(X, y)
    assert_allclose(best[-1].first_, FEATURES[:, 0] / FEATURES[:, 0].std())
    copy = pickle.loads(pickle.dumps(best))
    assert_array_equal(copy.predict(X), best.predict(X))


def test_keep_task_refits_when_per_task_changes():
    X = np.column_stack([FEATURES, TASKS])
    keep = KeepTask(StandardScaler(), -1).fit(X)
    keep.set_params(per_task=True).fit(X)
    assert_allclose(keep.transform(X)[:, :3], BY_TASK)


EXPECTED_FAILURES = {
    "check_estimators_pickle": "puts NaN into the task column, because the scaler allows NaN",
    "check_estimators_pickle(readonly_memmap=True)": "the same",
}


@pytest.mark.filterwarnings("ignore:The task column:UserWarning")
@pytest.mark.filterwarnings("ignore:can't resolve package:ImportWarning")
@parametrize_with_checks(
    [KeepTask(StandardScaler(), -1), AppendTask()],
    expected_failed_checks=lambda e: EXPECTED_FAILURES if isinstance(e, KeepTask) else {},
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# AppendTask


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_append_task(kind, dtype):
    features = np.array([[0.001, 1.0], [-0.002, 2.0], [0.003, 0.0], [0.004, 3.0], [0.0, 4.0]])
    append = AppendTask(n_tasks=3)
    out = append.fit_transform(kind(features.astype(dtype)))
    assert type(out) is type(kind(features))
    assert out.dtype == dtype
    out = out.toarray() if sparse.issparse(out) else out
    assert_allclose(out, np.column_stack([features, [1, 2, 0, 1, 0]]), rtol=1e-6)
    alone = append.transform(kind(features[1:2].astype(dtype)))
    assert alone[0, 2] == 2
    assert list(append.get_feature_names_out()) == ["x0", "x1", "task"]


@pytest.mark.parametrize(("n_tasks", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_append_task_rejects_n_tasks(n_tasks, error):
    with pytest.raises(error, match="n_tasks"):
        AppendTask(n_tasks).fit(FEATURES)
