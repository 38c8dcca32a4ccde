"""The gradients of a net's objective, for every option and every pair of options, against differences."""

from itertools import combinations

import numpy as np
import pytest

from mtlreg import Graph
from mtlreg.data import melt
from mtlreg.neural import SharedLayerClassifier, SharedLayerRegressor

OPTIONS = {
    "hidden_layer_sizes": [(), (4, 3)],
    "activation": ["relu", "logistic", "identity"],
    "head_sizes": [(3,), (3, 2)],
    "head_layer": [0, {"b": 0}],
    "sharing": ["l2", "trace", "cross_stitch"],
    "head_penalty": [Graph([("a", "b", 1.0), ("b", "c", 2.0)], alpha=0.3, alpha_l1=0.1)],
    "task_weight": ["uncertainty", {"a": 0.2, "b": 0.5, "c": 0.3}],
    "task_learning_rate": [{"a": 0.5, "b": 2.0, "c": 1.0}],
    "loss": ["huber", "squared_hinge", {"a": "squared", "b": "poisson", "c": "logistic"}],
    "dropout": [0.3],
    "data": ["missing", "tasks", "classes", "task_classes", "one_vs_rest", "sparse"],
}
SETTINGS = [(name, value) for name, values in OPTIONS.items() for value in values]
PAIRS = [pair for pair in combinations(SETTINGS, 2) if pair[0][0] != pair[1][0]]


def data(kind, loss):
    """``(X, y, estimator class, parameters)``; tasks a, b, c."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(3)
    X = rng.standard_normal((9, 4))
    Y = rng.standard_normal((9, 3))
    if isinstance(loss, dict):
        Y = np.column_stack([Y[:, 0], rng.poisson(2, 9), Y[:, 2] > 0]).astype(float)
    if loss == "squared_hinge":
        Y = (Y > 0).astype(float)
    if "classes" in kind or kind == "one_vs_rest":
        Y = np.column_stack([np.arange(9) % 3, Y[:, 1] > 0, Y[:, 2] > 0]).astype(float)
    Y = pd.DataFrame(Y, columns=list("abc"))
    model = SharedLayerClassifier if "classes" in kind or kind == "one_vs_rest" else SharedLayerRegressor
    settings = {"multi_class": "ovr"} if kind == "one_vs_rest" else {}
    if kind == "missing":
        Y.iloc[[0, 4], 0] = np.nan
        Y.iloc[3, 2] = np.nan
    if kind == "sparse":
        from scipy import sparse

        X = sparse.csr_matrix(np.where(np.abs(X) > 0.5, X, 0))
    if kind in ("tasks", "task_classes"):
        X, y = melt(X, Y)
        keep = np.arange(len(y)) % 7 > 0
        return X[keep], np.asarray(y)[keep], model, {"task_feature": -1}
    return X, Y, model, settings


def prepared(**options):
    """A training that is about to begin, and whether the options fit together."""
    loss = options.get("loss", "squared")
    X, y, model, settings = data(options.pop("data", "plain"), loss)
    if model is SharedLayerClassifier:
        if isinstance(loss, dict):
            pytest.skip("mixed losses are for regressors")
        settings = settings | {"loss": loss if loss == "squared_hinge" else "logistic"}
        if loss == "squared_hinge" and settings.get("multi_class") != "ovr":
            pytest.skip("a softmax has no hinge")
    settings = {"hidden_layer_sizes": (4,), "activation": "tanh", "alpha": 0.1} | options | settings
    estimator = model(random_state=0, alpha_sharing=0.3, **settings)
    if estimator.head_penalty is not None and isinstance(estimator.head_layer, dict):
        pytest.skip("a head penalty needs all heads on one layer")
    table, targets = estimator._read_targets(X, y, 1 + np.arange(len(y)) % 3)
    return estimator._begin(estimator._model(table, targets), table, targets)


def assert_gradients(training, dropped):
    objective, variables, rows = training.objective, training.variables, training.rows
    rng = np.random.default_rng(5)
    variables.flat[...] += 0.1 * rng.standard_normal(variables.flat.shape)
    grown, drawn = rng.uniform(0.5, 2.0, (2, rows.n_tasks))
    drawn *= training.progress.rates * (rng.random(rows.n_tasks) < 0.7)  # some tasks are not in a batch
    share = rng.uniform(0.2, 1.0)
    batch = rows.batch(rows.rows)

    def value():
        kept = np.random.default_rng(7) if dropped else None
        sums = objective.gradients(variables, training.gradients, *batch, grown, drawn, share, kept)
        nothing = np.zeros_like(sums)
        penalties = objective.value(variables, nothing, smooth=True) - noises(1.0)
        return objective.down * (objective.factor(variables) @ (drawn * grown * sums) + share * penalties) + noises(
            drawn
        )

    def noises(counted):
        if not objective.uncertainty:
            return 0.0
        return 0.5 * float(np.sum(counted * objective.factors * variables["log_variance"]))

    training.gradients.flat[...] = np.nan  # all of it is to be written
    value()
    found = training.gradients.flat.copy()
    step, expected = 1e-6, np.empty_like(found)
    for i in range(len(found)):
        origin = variables.flat[i]
        variables.flat[i] = origin + step
        above = value()
        variables.flat[i] = origin - step
        expected[i] = (above - value()) / (2 * step)
        variables.flat[i] = origin
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("name, value", SETTINGS)
def test_options(name, value):
    assert_gradients(prepared(**{name: value}), name == "dropout")


@pytest.mark.parametrize("first, second", PAIRS)
def test_pairs_of_options(first, second):
    assert_gradients(prepared(**dict([first, second])), "dropout" in (first[0], second[0]))


@pytest.mark.parametrize("kind", ["tasks", "task_classes"])
@pytest.mark.parametrize("head_layer", [None, {"b": 0}, {"a": 1, "c": 0}])
@pytest.mark.parametrize("head_sizes", [(), (3,)])
@pytest.mark.parametrize("sharing", ["hard", "l2", "cross_stitch"])
@pytest.mark.parametrize("absent", [(), (0,), (0, 2)])
def test_rows_apart_by_task_are_as_all_rows_through_all_tasks(kind, head_layer, head_sizes, sharing, absent):
    """Layers of single tasks see the rows of their task only, which changes nothing but the time."""
    options = {"head_layer": head_layer, "head_sizes": head_sizes, "sharing": sharing}
    training = prepared(data=kind, hidden_layer_sizes=(4, 3), **options)
    objective, variables, rows = training.objective, training.variables, training.rows
    variables.flat[...] += 0.1 * np.random.default_rng(5).standard_normal(variables.flat.shape)
    some = np.random.default_rng(1).permutation(np.flatnonzero(~np.isin(rows.task, absent)))
    X, y, weights, task = rows.batch(some)
    found = []
    for known in (None, task):
        training.gradients.flat[...] = np.nan
        sums = objective.gradients(variables, training.gradients, X, y, weights, known, np.ones(3), np.ones(3))
        eta, _ = objective.network.forward(variables, X, known)
        mine = objective.losses.expand(weights) > 0
        found.append((sums, training.gradients.flat.copy(), np.where(mine, eta, 0)))
    for whole, apart in zip(*found, strict=True):
        np.testing.assert_allclose(apart, whole, rtol=1e-10, atol=1e-12)
    assert np.abs(found[0][1]).max() > 0
