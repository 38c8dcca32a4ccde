"""Scores of several tasks against those of scikit-learn on every task alone."""

from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from sklearn import metrics as skm
from sklearn.exceptions import UndefinedMetricWarning

from mtlreg.metrics import (
    average_scores,
    macro_r2,
    make_task_scorer,
    multitask_score,
    pooled_r2,
    task_scores,
    weighted_r2,
)

RNG = np.random.RandomState(0)
N, T = 30, 3
Y = RNG.standard_normal((N, T)) + [0, 5, 10]
P = Y + RNG.standard_normal((N, T))
Y[RNG.uniform(size=(N, T)) < 0.3] = np.nan
WEIGHTS = RNG.uniform(0.5, 2.0, (N, T))
OBSERVED = ~np.isnan(Y)
CLASSES = (RNG.uniform(size=(N, T)) < 0.4).astype(float)
CLASSES[~OBSERVED] = np.nan
PROBABILITIES = RNG.uniform(0.05, 0.95, (N, T))
REGRESSION = {
    "r2": skm.r2_score,
    "mse": skm.mean_squared_error,
    "rmse": skm.root_mean_squared_error,
    "mae": skm.mean_absolute_error,
    "explained_variance": skm.explained_variance_score,
}
LABELS = {"accuracy": skm.accuracy_score, "balanced_accuracy": skm.balanced_accuracy_score}
SCORES = {
    "roc_auc": skm.roc_auc_score,
    "average_precision": skm.average_precision_score,
    "log_loss": skm.log_loss,
}


def stacked(values, observed=OBSERVED):
    """Columns one below the other, without what is not observed."""
    return values.T[observed.T]


ROW_TASKS = stacked(np.tile(np.arange(T), (N, 1)))


# task_scores


@pytest.mark.parametrize("weights", [None, WEIGHTS[:, 0], WEIGHTS])
@pytest.mark.parametrize("name", [*REGRESSION, *LABELS, *SCORES, "poisson_deviance"])
def test_scores_are_those_of_scikit_learn_on_every_task(name, weights):
    function = {**REGRESSION, **LABELS, **SCORES, "poisson_deviance": skm.mean_poisson_deviance}[name]
    truth, prediction = (Y, P) if name in REGRESSION else (CLASSES, PROBABILITIES)
    if name in LABELS:
        prediction = (prediction > 0.5).astype(int)
    full = None if weights is None else np.broadcast_to(weights.reshape(N, -1), (N, T))
    expected = {}
    for t in range(T):
        rows = OBSERVED[:, t]
        weight = {} if full is None else {"sample_weight": full[rows, t]}
        expected[t] = function(truth[rows, t], prediction[rows, t], **weight)
    for metric in (name, function):
        assert_same(task_scores(truth, prediction, metric, sample_weight=weights), expected)
    long_weights = None if full is None else stacked(full)
    by_rows = task_scores(stacked(truth), stacked(prediction), name, tasks=ROW_TASKS, sample_weight=long_weights)
    assert_same(by_rows, expected)


def assert_same(scores, expected):
    assert list(scores) == list(expected)
    assert_allclose(list(scores.values()), list(expected.values()), rtol=1e-12)


def test_missing_labels_of_every_kind():
    truth = np.array([[1.0, 2.0], [3.0, np.nan], [np.nan, 6.0], [5.0, 8.0]])
    prediction = truth + 1
    expected = {0: 1.0, 1: 1.0}
    prediction = np.where(np.isnan(prediction), 99.0, prediction)
    objects = truth.astype(object)
    objects[1, 1], objects[2, 0] = None, pd.NA
    for labels in (truth, objects, truth.tolist()):
        assert task_scores(labels, prediction, "mse") == expected
    for library in (pd, pl):
        frame = library.DataFrame({"u": [1, 3, None, 5], "v": [2, None, 6, 8]})
        assert task_scores(frame, prediction, "mse") == {"u": 1.0, "v": 1.0}
    nullable = pd.DataFrame({"u": pd.array([1, 3, None, 5], "Int64"), "v": pd.array([2, None, 6, 8], "Int64")})
    assert task_scores(nullable, prediction, "mse") == {"u": 1.0, "v": 1.0}


def test_labels_of_tasks():
    assert list(task_scores(Y, P, "mse", tasks=["u", "v", "w"])) == ["u", "v", "w"]
    assert list(task_scores(Y, P, "mse", tasks=np.array(["u", "v", "w"]))) == ["u", "v", "w"]
    rows = task_scores([1, 2, 3], [1, 2, 4], "mse", tasks=pd.Series(["b", "a", "b"], dtype="category"))
    assert rows == {"a": 0.0, "b": 0.5}
    rows = task_scores([1, 2, 3], [1, 2, 4], "mse", tasks=[2.0, 1.0, 2.0])
    assert repr(rows) == "{1: 0.0, 2: 0.5}"
    assert task_scores([1.0, 2.0], [1.0, 4.0], "mse") == {0: 2.0}


@pytest.mark.parametrize(
    ("metric", "labels"),
    [("r2", [3.0]), ("r2", [3.0, 3.0]), (skm.r2_score, [3.0, 3.0]), ("roc_auc", [1.0, 1.0]), ("mse", [])],
)
def test_undefined_scores_are_nan_without_a_warning(metric, labels):
    truth = np.full((4, 2), np.nan)
    truth[: len(labels), 0] = labels
    truth[:, 1] = [0.0, 1.0, 0.0, 1.0]
    scores = task_scores(truth, np.full((4, 2), 0.4), metric)
    assert np.isnan(scores[0])
    assert not np.isnan(scores[1])


def test_weight_zero_is_a_missing_label():
    weights = np.where(RNG.uniform(size=(N, T)) < 0.3, 0.0, 1.0)
    hidden = np.where(weights == 0, np.nan, Y)
    assert task_scores(Y, P, "r2", sample_weight=weights) == pytest.approx(task_scores(hidden, P, "r2"), rel=1e-12)
    assert np.isnan(task_scores([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], "r2", sample_weight=[1, 0, 0])[0])


@pytest.mark.parametrize("metric", ["r2", "accuracy"])
@pytest.mark.parametrize("weighted", [False, True])
def test_all_columns_at_once_are_one_after_the_other(metric, weighted):
    rng = np.random.default_rng(5)
    truth, found = rng.integers(0, 3, (2, 30, 5)).astype(float)
    truth[rng.uniform(size=truth.shape) < 0.4] = np.nan
    truth[:, 3], truth[:29, 4] = np.nan, np.nan
    weights = rng.choice([0.0, 0.5, 2.0], 30) if weighted else None
    found[0 if weights is None else np.flatnonzero(weights == 0)[0], 3] = np.nan  # where no label is
    function = {"r2": skm.r2_score, "accuracy": skm.accuracy_score}[metric]
    scores = task_scores(truth, found, metric, sample_weight=weights)
    for t in range(5):
        rows = ~np.isnan(truth[:, t]) & (True if weights is None else weights > 0)
        if rows.sum() < (2 if metric == "r2" else 1):
            assert np.isnan(scores[t])
            continue
        weight = None if weights is None else weights[rows]
        assert scores[t] == pytest.approx(function(truth[rows, t], found[rows, t], sample_weight=weight), rel=1e-12)


def test_balanced_accuracy_does_not_warn_of_absent_classes():
    assert task_scores([[0], [0]], [[0], [1]], "balanced_accuracy") == {0: 0.5}


def test_any_callable():
    def worst(y_true, y_pred, sample_weight=None):
        return np.max(np.abs(y_true - y_pred))

    expected = {t: np.nanmax(np.abs(Y[:, t] - P[:, t])) for t in range(T)}
    assert task_scores(Y, P, worst) == expected
    scores = task_scores(Y, P, partial(skm.mean_pinball_loss, alpha=0.9), sample_weight=WEIGHTS)
    rows = OBSERVED[:, 1]
    assert scores[1] == skm.mean_pinball_loss(Y[rows, 1], P[rows, 1], alpha=0.9, sample_weight=WEIGHTS[rows, 1])


# probabilities


def test_probabilities_of_two_classes_as_list_matrix_and_strings():
    names = np.array(["no", "yes"], dtype=object)
    text = np.where(OBSERVED, names[np.nan_to_num(CLASSES).astype(int)], None)
    columns = [np.column_stack([1 - p, p]) for p in PROBABILITIES.T]
    for name in SCORES:
        expected = task_scores(CLASSES, PROBABILITIES, name)
        assert_same(task_scores(CLASSES, columns, name), expected)
        assert_same(task_scores(text, columns, name), expected)
        assert_same(task_scores(text, columns, name, classes=[names] * T), expected)
    brier = task_scores(CLASSES, columns, skm.brier_score_loss)
    assert_same(brier, task_scores(CLASSES, PROBABILITIES, skm.brier_score_loss))


def test_probabilities_of_more_classes():
    labels = RNG.randint(0, 3, 40)
    proba = RNG.dirichlet([1, 1, 1], 40)
    score = partial(task_scores, labels, proba)
    assert_allclose(score("log_loss")[0], skm.log_loss(labels, proba))
    assert_allclose(score("roc_auc")[0], skm.roc_auc_score(labels, proba, multi_class="ovr"))
    assert_allclose(score("average_precision")[0], skm.average_precision_score(labels, proba))
    # A class that a task lacks has probability zero and takes no part.
    tasks = np.repeat(["a", "b"], [20, 20])
    two = proba[:20, :2] / proba[:20, :2].sum(axis=1, keepdims=True)
    proba[:20] = np.column_stack([two, np.zeros(20)])
    labels[:20] = np.arange(20) % 2
    auc = task_scores(labels, proba, "roc_auc", tasks=tasks, classes=[0, 1, 2])
    assert_allclose(auc["a"], skm.roc_auc_score(labels[:20], two[:, 1]))
    loss = task_scores(labels, proba, "log_loss", tasks=tasks, classes=[0, 1, 2])
    assert_allclose(loss["a"], skm.log_loss(labels[:20], two))


def test_one_class_in_the_labels_or_in_the_predictions():
    proba = np.array([[0.2, 0.8], [0.4, 0.6]])
    assert_allclose(task_scores(["b", "b"], proba, "log_loss", classes=["a", "b"])[0], -np.log([0.8, 0.6]).mean())
    assert_allclose(task_scores([1, 1], proba[:, 1], "log_loss")[0], -np.log([0.8, 0.6]).mean())
    assert task_scores(["b", "b"], np.ones((2, 1)), "log_loss", classes=["b"])[0] < 1e-12
    assert task_scores(["a", "b"], np.ones((2, 1)), "roc_auc", classes=["b"])[0] == 0.5
    assert task_scores(["a", "b"], np.ones((2, 1)), "log_loss", classes=["b"])[0] > 10
    with pytest.raises(ValueError, match="cannot tell the classes of the 2 columns"):
        task_scores(["b", "b"], proba, "log_loss")


# averages


def test_averages():
    scores, counts = {"a": 1.0, "b": 0.0, "c": np.nan}, {"a": 1, "b": 3, "c": 100}
    assert average_scores(scores) == 0.5
    assert average_scores(scores, counts, "weighted") == 0.25
    for average in ("macro", "weighted"):
        with pytest.warns(UndefinedMetricWarning, match="undefined for every task"):
            assert np.isnan(average_scores({"c": np.nan}, {"c": 2}, average))
    with pytest.raises(ValueError, match="needs counts"):
        average_scores(scores, average="weighted")
    with pytest.raises(ValueError, match="average must be one of 'macro', 'weighted'; got 'pooled'"):
        average_scores(scores, counts, "pooled")


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_multitask_score(weights):
    by_task = np.array(list(task_scores(Y, P, "r2", sample_weight=weights).values()))
    label_weights = np.where(OBSERVED, 1.0 if weights is None else weights, 0.0)
    row_weights = stacked(label_weights)
    expected = {
        "macro": by_task.mean(),
        "weighted": np.average(by_task, weights=label_weights.sum(axis=0)),
        "pooled": skm.r2_score(stacked(Y), stacked(P), sample_weight=row_weights),
    }
    for average, value in expected.items():
        assert_allclose(multitask_score(Y, P, "r2", average=average, sample_weight=weights), value)
        by_rows = multitask_score(
            stacked(Y), stacked(P), "r2", average=average, tasks=ROW_TASKS, sample_weight=row_weights
        )
        assert_allclose(by_rows, value)
    assert_allclose(macro_r2(Y, P, sample_weight=weights), expected["macro"])
    assert_allclose(weighted_r2(Y, P, sample_weight=weights), expected["weighted"])
    assert_allclose(pooled_r2(Y, P, sample_weight=weights), expected["pooled"])
    assert expected["pooled"] > expected["macro"]  # the means of the tasks differ


def test_pooled_probabilities():
    columns = [np.column_stack([1 - p, p]) for p in PROBABILITIES.T]
    expected = skm.roc_auc_score(stacked(CLASSES), stacked(PROBABILITIES))
    assert_allclose(multitask_score(CLASSES, columns, "roc_auc", average="pooled"), expected)
    # Every task with classes of its own: the second one of each is the positive one.
    own = [np.array([10 * t, 10 * t + 1]) for t in range(T)]
    shifted = CLASSES + 10 * np.arange(T)
    for prediction in (columns, PROBABILITIES):
        score = multitask_score(shifted, prediction, "roc_auc", average="pooled", classes=own)
        assert_allclose(score, expected)
    loss = multitask_score(shifted, columns, "log_loss", average="pooled", classes=own)
    assert_allclose(loss, multitask_score(shifted, columns, "log_loss", average="weighted", classes=own))
    columns[0] = np.column_stack([columns[0], np.zeros(N)])
    own[0] = np.array([0, 1, 2])
    with pytest.raises(ValueError, match="pooled' needs the same classes in every task"):
        multitask_score(shifted, columns, "roc_auc", average="pooled", classes=own)


def test_undefined_averages_warn():
    truth, prediction = np.ones((4, 2)), np.zeros((4, 2))
    for average in ("macro", "weighted", "pooled"):
        with pytest.warns(UndefinedMetricWarning):
            assert np.isnan(multitask_score(truth, prediction, "r2", average=average))
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(multitask_score(truth * np.nan, prediction, "mse", average="pooled"))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (
            (Y, P, "r3"),
            {},
            ValueError,
            "Unknown metric 'r3'; the short names are accuracy, average_precision",
        ),
        ((Y, P, 3), {}, TypeError, "metric must be a short name or a callable, got 3"),
        ((Y, P[:, :2], "r2"), {}, ValueError, "y_true has 30 rows and 3 tasks; y_pred has 2 tasks"),
        ((Y, P[:4], "r2"), {}, ValueError, r"predictions of shape \(4,\)"),
        ((Y, P, "r2"), {"tasks": "uv"}, ValueError, "y_true has 3 columns, tasks 2 labels"),
        ((Y[:, 0], P[:, 0], "r2"), {"tasks": [1, 2]}, ValueError, r"tasks has shape \(2,\)"),
        ((Y[:, 0], P[:, 0], "r2"), {"tasks": [np.nan] * N}, ValueError, "tasks has 30 missing values"),
        ((Y, P, "r2"), {"sample_weight": np.ones(3)}, ValueError, r"sample_weight has shape \(3,\)"),
        ((Y, P, "r2"), {"sample_weight": -WEIGHTS}, ValueError, "sample_weight has negative or missing"),
        ((Y, P * np.nan, "r2"), {"tasks": "uvw"}, ValueError, "metric r2 failed for task 'u': Input"),
        ((Y, P, skm.mean_poisson_deviance), {}, ValueError, "mean_poisson_deviance failed for task 0"),
        (
            (CLASSES, [np.ones((N, 2))] * T, "accuracy"),
            {},
            ValueError,
            "accuracy failed for task 0: it takes one",
        ),
        ((np.ones((2, 2, 2)), P, "r2"), {}, ValueError, r"y_true must have shape \(n_samples, n_tasks\)"),
    ],
)
def test_errors_name_what_is_wrong(arguments, options, error, message):
    with pytest.raises(error, match=message):
        task_scores(*arguments, **options)


def test_unknown_average():
    with pytest.raises(ValueError, match="'macro', 'weighted', 'pooled'; got 'mean'"):
        multitask_score(Y, P, "r2", average="mean")
    with pytest.raises(ValueError, match="got 'mean'"):
        make_task_scorer("r2", average="mean")
    with pytest.raises(ValueError, match="Unknown metric"):
        make_task_scorer("r3")
