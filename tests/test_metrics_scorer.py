"""The scorer over tasks, in model selection and on its own."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_allclose
from sklearn import metrics as skm
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mtlreg.data import AppendTask, KeepTask, melt, split_task_column
from mtlreg.metrics import (
    macro_r2,
    make_task_scorer,
)

ERRORS = {
    "mse": skm.mean_squared_error,
    "rmse": skm.root_mean_squared_error,
    "mae": skm.mean_absolute_error,
    "poisson_deviance": skm.mean_poisson_deviance,
    "log_loss": skm.log_loss,
}


class TaskModels(RegressorMixin, BaseEstimator):
    """One model per task, for either layout; the base of the checks of the scorer."""

    def __init__(self, task_feature=None, alpha=1.0):
        self.task_feature = task_feature
        self.alpha = alpha

    def _model(self):
        return Ridge(self.alpha)

    def fit(self, X, y, sample_weight=None):
        if self.task_feature is None:
            y = np.asarray(y, dtype=float)
            rows = [~np.isnan(column) for column in y.T]
            self.models_ = [self._model().fit(X[r], column[r]) for r, column in zip(rows, y.T, strict=True)]
            return self
        rest, tasks, _ = split_task_column(X, self.task_feature)
        rest, y = np.asarray(rest), np.asarray(y)
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        self.models_ = {
            task: self._model().fit(rest[tasks == task], y[tasks == task], weight[tasks == task])
            for task in np.unique(tasks)
        }
        self.classes_ = np.unique(y)
        return self

    def _apply(self, method, X):
        if self.task_feature is None:
            return [getattr(model, method)(X) for model in self.models_]
        rest, tasks, _ = split_task_column(X, self.task_feature)
        rest = np.asarray(rest)
        return np.array(
            [getattr(self.models_[task], method)(row[None])[0] for task, row in zip(tasks, rest, strict=True)]
        )

    def predict(self, X):
        out = self._apply("predict", X)
        return np.column_stack(out) if self.task_feature is None else out


class TaskClassifiers(ClassifierMixin, TaskModels):
    def _model(self):
        return LogisticRegression(C=self.alpha)

    def predict_proba(self, X):
        return self._apply("predict_proba", X)

    def decision_function(self, X):
        return self._apply("decision_function", X)


def shared_data(classes=False):
    rng = np.random.RandomState(1)
    X = rng.standard_normal((60, 4))
    labels = X @ rng.standard_normal((4, 3)) + rng.standard_normal((60, 3))
    labels = (labels > 0).astype(float) if classes else labels
    labels[rng.uniform(size=(60, 3)) < 0.2] = np.nan
    return X, labels


def expected_score(estimator, X, y, metric, method="predict", positive=False):
    """Macro score task by task, with scikit-learn only."""
    rest, tasks, _ = split_task_column(X, estimator.task_feature)
    prediction = getattr(estimator, method)(X)
    prediction = prediction[:, 1] if positive else prediction
    return np.mean([metric(y[tasks == t], prediction[tasks == t]) for t in np.unique(tasks)])


@pytest.mark.parametrize("container", ["numpy", "pandas", "polars"])
def test_scorer_reads_the_task_column(container):
    X, labels = shared_data()
    X, y = melt(X, labels)
    names = ["a", "b", "task", "c", "d"]
    X = X[:, [0, 1, 4, 2, 3]]
    task_feature = 2 if container == "numpy" else "task"
    X = {"numpy": X, "pandas": pd.DataFrame(X, columns=names), "polars": pl.DataFrame(X, schema=names)}[container]
    model = TaskModels(task_feature).fit(X, y)
    expected = expected_score(model, X, y, skm.r2_score)
    assert_allclose(make_task_scorer("r2")(model, X, y), expected)
    assert_allclose(make_task_scorer("r2", task_feature=2)(model, X, y), expected)
    assert_allclose(make_task_scorer("r2", average="pooled")(model, X, y), skm.r2_score(y, model.predict(X)))


def test_scorer_of_shared_rows_with_missing_labels():
    X, labels = shared_data()
    model = TaskModels().fit(X, labels)
    assert_allclose(make_task_scorer("r2")(model, X, labels), macro_r2(labels, model.predict(X)))
    search = GridSearchCV(TaskModels(), {"alpha": [0.1, 1e6]}, scoring=make_task_scorer("mae"), cv=KFold(3))
    search.fit(X, labels)
    assert search.best_params_ == {"alpha": 0.1}
    assert search.best_score_ < 0
    assert cross_val_score(LinearRegression(), X, X[:, :2], scoring=make_task_scorer("r2")).min() > 0.999


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_negated(name):
    scorer = make_task_scorer(name)
    assert scorer._sign == -1.0
    assert make_task_scorer(ERRORS[name])._sign == -1.0
    assert make_task_scorer(name, greater_is_better=True)._sign == 1.0
    assert make_task_scorer(skm.max_error)._sign == 1.0
    assert make_task_scorer(skm.max_error, greater_is_better=False)._sign == -1.0


@pytest.mark.parametrize(
    ("name", "method", "function"),
    [
        ("roc_auc", "predict_proba", skm.roc_auc_score),
        ("average_precision", "predict_proba", skm.average_precision_score),
        ("log_loss", "predict_proba", lambda y, p: -skm.log_loss(y, p)),
        ("accuracy", "predict", skm.accuracy_score),
    ],
)
def test_scorer_of_classifiers(name, method, function):
    X, labels = shared_data(classes=True)
    shared = TaskClassifiers().fit(X, labels)
    X_long, y_long = melt(X, labels)
    long = TaskClassifiers(-1).fit(X_long, y_long)
    expected = expected_score(long, X_long, y_long, function, method, positive=method != "predict")
    assert_allclose(make_task_scorer(name)(shared, X, labels), expected)
    assert_allclose(make_task_scorer(name)(long, X_long, y_long), expected)
    text = np.array(["no", "yes"], dtype=object)[y_long.astype(int)]
    assert_allclose(make_task_scorer(name)(TaskClassifiers(-1).fit(X_long, text), X_long, text), expected)


def test_scorer_response_method():
    X, labels = shared_data(classes=True)
    X, y = melt(X, labels)
    model = TaskClassifiers(-1).fit(X, y)
    expected = expected_score(model, X, y, skm.roc_auc_score, "decision_function")
    for response_method in ("decision_function", ("missing", "decision_function")):
        scorer = make_task_scorer("roc_auc", response_method=response_method)
        assert_allclose(scorer(model, X, y), expected)
    with pytest.raises(AttributeError, match=r"needs predict_proba or decision_function; TaskModels\("):
        make_task_scorer("roc_auc")(TaskModels(-1).fit(X, y), X, y)


def test_scorer_of_a_multi_output_classifier():
    X, labels = shared_data(classes=True)
    labels = np.nan_to_num(labels)
    labels[:, 2] += X[:, 0] > 1  # three classes
    model = MultiOutputClassifier(LogisticRegression()).fit(X, labels)
    proba = model.predict_proba(X)
    expected = [
        skm.roc_auc_score(labels[:, 0], proba[0][:, 1]),
        skm.roc_auc_score(labels[:, 1], proba[1][:, 1]),
        skm.roc_auc_score(labels[:, 2], proba[2], multi_class="ovr"),
    ]
    assert_allclose(make_task_scorer("roc_auc")(model, X, labels), np.mean(expected))
    expected = [skm.log_loss(labels[:, t], proba[t]) for t in range(3)]
    assert_allclose(make_task_scorer("log_loss")(model, X, labels), -np.mean(expected))


def test_scorer_finds_the_task_column_of_what_is_inside():
    X, labels = shared_data()
    values, y = melt(X, labels)
    frame = pd.DataFrame(values, columns=["a", "b", "c", "d", "task"])
    scorer = make_task_scorer("r2")
    plain = TaskModels("task").fit(frame, y)
    expected = scorer(plain, frame, y)
    keep = make_pipeline(KeepTask(StandardScaler(with_std=False), "task"), TaskModels("task"))
    assert_allclose(scorer(keep.fit(frame, y), frame, y), expected)
    # The last step's position is not that of X: the column transformer moves the task to the end.
    moved = frame[["task", "a", "b", "c", "d"]]
    columns = ColumnTransformer([("f", "passthrough", ["a", "b", "c", "d"])], remainder="passthrough")
    assert_allclose(scorer(make_pipeline(columns, TaskModels(-1)).fit(moved, y), moved, y), expected)
    search = GridSearchCV(make_pipeline(TaskModels("task")), {"taskmodels__alpha": [1.0]}, cv=KFold(2, shuffle=True))
    assert_allclose(scorer(search.fit(frame, y), frame, y), expected)
    target = TransformedTargetRegressor(TaskModels("task"), func=np.negative, inverse_func=np.negative)
    assert_allclose(scorer(target.fit(frame, y), frame, y), expected)


def test_scorer_with_a_task_column_that_the_pipeline_makes():
    X = np.random.RandomState(0).standard_normal((80, 3))
    y = X @ [1.0, 2.0, 3.0]
    pipeline = make_pipeline(AppendTask(3), TaskModels(-1, alpha=1e-8)).fit(X, y)
    tasks = AppendTask(3).fit_transform(X)[:, -1]
    expected = np.mean([skm.r2_score(y[tasks == t], pipeline.predict(X)[tasks == t]) for t in range(3)])
    assert_allclose(make_task_scorer("r2")(pipeline, X, y), expected)


def test_scorer_in_searches():
    X, labels = shared_data()
    X, y = melt(X, labels)
    order = np.random.RandomState(0).permutation(len(y))
    X, y, weights = X[order], y[order], np.linspace(1, 2, len(y))
    scoring = {"r2": make_task_scorer("r2"), "mse": make_task_scorer("mse", average="weighted")}
    search = GridSearchCV(TaskModels(-1), {"alpha": [0.1, 1e6]}, scoring=scoring, refit="r2", n_jobs=2, cv=3)
    search.fit(X, y)
    assert search.best_params_ == {"alpha": 0.1}
    assert (search.cv_results_["mean_test_mse"] < 0).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.set_params(n_jobs=1).fit(X, y, sample_weight=weights)
    assert np.isfinite(search.best_score_)


def test_scorer_uses_sample_weight():
    X, labels = shared_data()
    X, y = melt(X, labels)
    weights = np.linspace(0.1, 2, len(y))
    model = TaskModels(-1).fit(X, y)
    expected = macro_r2(y, model.predict(X), tasks=X[:, -1], sample_weight=weights)
    assert_allclose(make_task_scorer("r2")(model, X, y, sample_weight=weights), expected)
    assert expected != make_task_scorer("r2")(model, X, y)


def test_scorer_with_metadata_routing():
    X, labels = shared_data()
    X, y = melt(X, labels)
    weights = np.linspace(0.1, 2, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = TaskModels(-1).set_fit_request(sample_weight=True)
        options = {"cv": KFold(2, shuffle=True, random_state=0), "params": {"sample_weight": weights}}
        scorers = {key: make_task_scorer("r2").set_score_request(sample_weight=key) for key in (True, False)}
        weighted, plain = (
            cross_validate(model, X, y, scoring=scorers[key], return_estimator=True, **options) for key in (True, False)
        )
        assert not np.allclose(weighted["test_score"], plain["test_score"])
        test = next(options["cv"].split(X))[1]
        score = scorers[True](weighted["estimator"][0], X[test], y[test], sample_weight=weights[test])
        assert_allclose(weighted["test_score"][0], score)
        with pytest.raises(ValueError, match="sample_weight"):
            cross_validate(model, X, y, scoring=make_task_scorer("r2"), **options)


def test_scorer_pickles_clones_and_prints():
    X, labels = shared_data()
    X, y = melt(X, labels)
    model = TaskModels(-1).fit(X, y)
    scorer = make_task_scorer(skm.mean_absolute_error, average="weighted", task_feature=-1)
    assert pickle.loads(pickle.dumps(scorer))(model, X, y) == scorer(model, X, y)
    assert repr(scorer) == "make_task_scorer(mean_absolute_error, average='weighted', task_feature=-1)"
    assert repr(make_task_scorer("r2")) == "make_task_scorer('r2')"
    assert "greater_is_better=False" in repr(make_task_scorer("r2", greater_is_better=False))
    search = clone(GridSearchCV(model, {"alpha": [1.0]}, scoring=scorer))
    assert repr(search.scoring) == repr(scorer)
