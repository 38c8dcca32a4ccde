"""Nets with shared hidden layers: what they compute, how they are trained, and what they refuse."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor

from mtlreg import (
    L21,
    MeanRegularized,
    MultiTaskRegressor,
    SharedLayerClassifier,
    SharedLayerRegressor,
    TraceNorm,
    penalties,
)
from mtlreg.data import melt

pytestmark = pytest.mark.filterwarnings(
    "ignore:SharedLayer.* was still improving:sklearn.exceptions.ConvergenceWarning"
)


def numbers(n=120, p=5, n_tasks=3, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    hidden = np.tanh(X @ rng.standard_normal((p, 4)))
    return X, hidden @ rng.standard_normal((4, n_tasks)) + noise * rng.standard_normal((n, n_tasks))


def net(**settings):
    return SharedLayerRegressor(**({"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 20} | settings))


# -- against other models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("penalty", [L21(0.2), TraceNorm(0.2), MeanRegularized(0.5, alpha_ridge=0.1)], ids=str)
def test_without_hidden_layers_it_is_the_linear_model(solver, penalty):
    X, Y = numbers()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    linear = MultiTaskRegressor(penalty, tol=1e-12).fit(X, Y)
    model = net(hidden_layer_sizes=(), head_penalty=penalty, alpha=0.0, batch_size=len(X), solver=solver, tol=0.0)
    model.set_params(learning_rate_init=0.02, max_iter=3000, learning_rate="cosine").fit(X, Y)
    assert_allclose(model.weights_["head0.weight"].T, linear.coef_, atol=2e-5)
    assert_allclose(model.predict(X), linear.predict(X), atol=2e-4)
    assert_allclose(model.loss_, linear.objective_, rtol=1e-6)


def test_weight_decay_without_hidden_layers_is_ridge():
    X, Y = numbers()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    linear = MultiTaskRegressor(L21(0.0, alpha_ridge=0.3), tol=1e-12).fit(X, Y)
    model = net(hidden_layer_sizes=(), alpha=0.3, batch_size=len(X), tol=0.0, max_iter=2000, learning_rate="cosine")
    assert_allclose(model.set_params(learning_rate_init=0.05).fit(X, Y).loss_, linear.objective_, rtol=1e-6)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_one_step_after_another_as_scikit_learn(solver, activation):
    """From the same weights, with the same batches, the weights stay the same."""
    X, Y = numbers()
    Y /= Y.std(axis=0)  # the heads' weights are then counted in units of one
    common = {"activation": activation, "solver": solver, "batch_size": 25, "shuffle": False, "alpha": 0.0}
    ours = net(hidden_layer_sizes=(8, 6), standardize=False, tol=0.0, learning_rate_init=0.01, **common)
    ours.set_params(max_iter=1).fit(X, Y)
    start = SharedLayerRegressor(**ours.get_params()).set_params(learning_rate_init=1e-300).fit(X, Y).weights_
    theirs = MLPRegressor(hidden_layer_sizes=(8, 6), random_state=0, max_iter=1, warm_start=True, **common)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.set_params(learning_rate_init=1e-300).fit(X, Y)
        names = ["hidden1", "hidden2", "head2"]
        theirs.coefs_ = [start[f"{name}.weight"].copy() for name in names]
        theirs.intercepts_ = [start[f"{name}.bias"].ravel().copy() for name in names]
        theirs.set_params(learning_rate_init=0.01).fit(X, Y)
    for name, coef, intercept in zip(names, theirs.coefs_, theirs.intercepts_, strict=True):
        assert_allclose(ours.weights_[f"{name}.weight"], coef, rtol=1e-8, atol=1e-10)
        assert_allclose(ours.weights_[f"{name}.bias"].ravel(), intercept, rtol=1e-8, atol=1e-10)
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8)


# -- both doors, missing labels, weights --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings", [{}, {"sharing": "l2"}, {"sharing": "cross_stitch"}, {"head_sizes": (4,)}], ids=str
)
def test_both_doors_and_missing_labels(settings):
    X, Y = numbers()
    Y[::7, 0] = np.nan
    Y[3:9, 2] = np.nan
    long, labels = melt(X, Y)
    # all rows in one batch, so that the order does not matter; features are scaled over other rows
    shared = net(batch_size=10**6, standardize=False, **settings).fit(X, Y)
    tasks = net(batch_size=10**6, standardize=False, task_feature=-1, **settings).fit(long, labels)
    assert_allclose(tasks.loss_, shared.loss_, rtol=1e-10)
    predicted = tasks.predict(long)
    assert_allclose(predicted, shared.predict(X).T.ravel()[~np.isnan(Y.T.ravel())], rtol=1e-7)


def test_weights():
    X, Y = numbers()
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 3, len(X))
    weighted = net(batch_size=10**6).fit(X, Y, sample_weight=counts)
    twice = net(batch_size=10**6).fit(np.repeat(X, counts, axis=0), np.repeat(Y, counts, axis=0))
    assert_allclose(weighted.predict(X), twice.predict(X), rtol=1e-6)


def test_sparse_features_and_float32():
    X, Y = numbers()
    X[np.abs(X) < 0.7] = 0
    dense = net().fit(X, Y)
    assert_allclose(net().fit(sparse.csc_matrix(X), Y).predict(sparse.csr_matrix(X)), dense.predict(X), rtol=1e-10)
    single = net().fit(X.astype(np.float32), Y)
    assert single.predict(X.astype(np.float32)).dtype == np.float32
    assert all(a.dtype == np.float32 for a in single.weights_.values())
    assert_allclose(single.predict(X.astype(np.float32)), dense.predict(X), atol=1e-3)


def test_mixed_losses_predict_means():
    X, Y = numbers(n_tasks=3)
    Y = np.column_stack([Y[:, 0], np.random.default_rng(0).poisson(np.exp(X[:, 0])), Y[:, 2] > 0])
    model = net(loss=["squared", "poisson", "logistic"], max_iter=200, learning_rate_init=0.01).fit(X, Y)
    predicted = model.predict(X)
    assert (predicted[:, 1] > 0).all()
    assert ((predicted[:, 2] > 0) & (predicted[:, 2] < 1)).all()
    assert np.mean((predicted[:, 2] > 0.5) == Y[:, 2]) > 0.9


# -- classes -------------------------------------------------------------------------------------------------------


def test_classes_of_both_doors():
    X, Y = numbers(n=200)
    labels = np.column_stack([np.where(Y[:, 0] > 0, "yes", "no"), np.digitize(Y[:, 1], [-0.5, 0.5]).astype(str)])
    model = SharedLayerClassifier((20,), max_iter=300, learning_rate_init=0.01, random_state=0).fit(X, labels)
    assert model.score(X, labels) > 0.9
    assert [list(c) for c in model.classes_] == [["no", "yes"], ["0", "1", "2"]]
    first, second = model.predict_proba(X)
    assert first.shape == (200, 2)
    assert_allclose(second.sum(axis=1), 1)
    long, y = melt(X, labels)
    tasks = SharedLayerClassifier((20,), max_iter=100, learning_rate_init=0.01, random_state=0, task_feature=-1)
    tasks.fit(long, y)
    assert tasks.score(long, y) > 0.9
    assert tasks.predict_proba(long).shape == (400, 5)


@pytest.mark.parametrize("multi_class", ["softmax", "ovr"])
def test_one_task_of_many_classes(multi_class):
    X, Y = numbers(n=200)
    y = np.digitize(Y[:, 0], [-1, 0, 1])
    model = SharedLayerClassifier(
        (20,), max_iter=300, learning_rate_init=0.01, random_state=0, multi_class=multi_class
    ).fit(X, y)
    assert model.score(X, y) > 0.8
    assert model.decision_function(X).shape == (200, 4)


def test_exclusive_or():
    X = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    model = SharedLayerClassifier((20,), max_iter=300, learning_rate_init=0.01, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.95


# -- training ------------------------------------------------------------------------------------------------------


def test_seeds():
    X, Y = numbers()
    for settings in ({"dropout": 0.2}, {"schedule": "alternate"}, {"early_stopping": True}):
        model = net(**settings)
        assert_array_equal(model.fit(X, Y).predict(X), clone(model).fit(X, Y).predict(X))
        assert np.abs(clone(model).set_params(random_state=1).fit(X, Y).predict(X) - model.predict(X)).max() > 1e-3


@pytest.mark.parametrize("task_feature", [None, -1])
@pytest.mark.parametrize("schedule, weight", [("alternate", "balanced"), ("proportional", None)])
def test_schedules_have_the_objective_they_say(schedule, weight, task_feature):
    """The mean gradient over the draws is that of joint training, divided by the number of tasks."""
    X, Y = numbers()
    Y[:60, 0] = np.nan
    Y[:100, 1] = np.nan
    if task_feature is not None:
        X, Y = melt(X, Y)

    def gradient(model, chances=None):
        table, targets = model._read_targets(X, Y, None)
        training = model._begin(model._model(table, targets), table, targets)
        total = np.zeros_like(training.gradients.flat)
        share = 1.0 if chances is None else 1 / len(chances)
        for t, chance in enumerate([1.0] if chances is None else chances):
            rows = training.train if chances is None else training.of_task[t]
            grown, drawn = np.ones((2, len(targets)))
            if chances is not None:
                drawn = np.eye(len(targets))[t] / (len(chances) * chance)
            batch = training.rows.batch(rows)
            training.objective.gradients(training.variables, training.gradients, *batch, grown, drawn, share)
            total += chance * training.gradients.flat
        return total

    settings = {"alpha": 0.1, "task_feature": task_feature}
    counts = np.array([60, 20, 120])
    chances = np.full(3, 1 / 3) if schedule == "alternate" else counts / counts.sum()
    joint = gradient(net(task_weight=weight, **settings))
    drawn = gradient(net(schedule=schedule, **settings), chances)
    assert_allclose(3 * drawn, joint, rtol=1e-9, atol=1e-12)


def test_a_batch_of_a_schedule_stands_for_its_tasks():
    """What `_batches` says of each batch is what the test above takes it to be."""
    X, Y = numbers()
    Y[:60, 0] = np.nan
    Y[:100, 1] = np.nan
    for schedule, chances in {"alternate": np.full(3, 1 / 3), "proportional": np.array([60, 20, 120]) / 200}.items():
        model = net(schedule=schedule, batch_size=10)
        table, targets = model._read_targets(X, Y, None)
        training = model._begin(model._model(table, targets), table, targets)
        batches = [batch for _ in range(20) for batch in training._batches()]
        seen = np.array([np.flatnonzero(drawn)[0] for _, _, drawn, _ in batches])
        assert_allclose(np.bincount(seen) / len(seen), chances, atol=0.08)
        for (rows, grown, drawn, share), t in zip(batches, seen, strict=True):
            assert share == pytest.approx(1 / 3) and drawn[t] == pytest.approx(1 / (3 * chances[t]))
            assert grown[t] == pytest.approx(len(training.of_task[t]) / len(rows))


@pytest.mark.parametrize("schedule", ["joint", "alternate", "proportional"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_schedules_learn(schedule, solver):
    X, Y = numbers()
    model = net(schedule=schedule, solver=solver, max_iter=150, learning_rate_init=0.01).fit(X, Y)
    assert model.score(X, Y) > 0.7
    assert model.loss_curve_.shape == (model.n_iter_, 3)
    assert (model.loss_curve_[-1] < model.loss_curve_[0]).all()


def test_early_stopping_keeps_the_best_state():
    X, Y = numbers(n=60, noise=2.0)
    model = net(hidden_layer_sizes=(50,), early_stopping=True, max_iter=500, learning_rate_init=0.02).fit(X, Y)
    assert model.n_iter_ < 500
    totals = model.validation_curve_.sum(axis=1)
    assert_allclose(model.best_loss_, totals.min())
    assert totals[-1] > totals.min()


def one_unlearnable():
    X, Y = numbers(n=80, noise=0.01)
    Y[:, 1] = np.random.default_rng(1).standard_normal(80)
    return X, Y


def test_auxiliary_tasks_do_not_say_when_to_stop():
    X, Y = one_unlearnable()
    model = net(early_stopping=True, auxiliary_tasks=[1], max_iter=300, learning_rate_init=0.01).fit(X, Y)
    totals = model.validation_curve_[:, [0, 2]].sum(axis=1)
    assert_allclose(model.best_loss_, totals.min())


def test_each_task_stops_by_itself():
    X, Y = one_unlearnable()
    model = net(early_stopping="per_task", max_iter=400, learning_rate_init=0.01, n_iter_no_change=5).fit(X, Y)
    assert model.n_iter_ < 400
    assert (model.task_rates_ == 0).all()
    best = np.argmin(model.validation_curve_, axis=0)
    assert best[1] < best[2]
    model.set_params(max_iter=int(best[1]) + 15).fit(X, Y)
    assert model.task_rates_[1] == 0
    assert model.task_rates_[2] == 1


def test_adaptive_rates():
    X, Y = one_unlearnable()
    model = net(task_learning_rate="adaptive", early_stopping=True, max_iter=200, n_iter_no_change=5)
    rates = model.set_params(learning_rate_init=0.01).fit(X, Y).task_rates_
    assert rates[1] < rates[2] == 1
    model = net(task_learning_rate={1: 0.0}, alpha=0.0, early_stopping=False).fit(X, Y)
    assert_array_equal(model.task_rates_, [1, 0, 1])
    assert_allclose(model.weights_["head1.bias"][0, 1], Y[:, 1].mean())


def test_uncertainty_finds_the_noise():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3))
    Y = X @ rng.standard_normal((3, 2)) + rng.standard_normal((400, 2)) * [0.1, 1.0]
    model = net(hidden_layer_sizes=(), task_weight="uncertainty", max_iter=600, learning_rate_init=0.02, tol=0.0)
    model.fit(X, Y)
    assert_allclose(model.noise_scale_, [0.1, 1.0], rtol=0.15)
    assert model.task_weights_[0] > model.task_weights_[1]
    assert_allclose(model.task_weights_.sum(), 1)


@pytest.mark.parametrize("settings", [{"schedule": "alternate"}, {"task_learning_rate": [0.3, 1.0]}], ids=str)
def test_the_noise_is_the_same_however_it_is_trained(settings):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3))
    Y = 1000 * (X @ rng.standard_normal((3, 2)) + rng.standard_normal((300, 2)) * [0.2, 1.0])
    model = net(hidden_layer_sizes=(), task_weight="uncertainty", max_iter=800, learning_rate="cosine", alpha=0.0)
    model.set_params(learning_rate_init=0.03, batch_size=100, **settings).fit(X, Y)
    assert_allclose(model.noise_scale_, np.sqrt(np.mean((Y - model.predict(X)) ** 2, axis=0)), rtol=0.1)


def test_a_task_of_rate_zero_stays_as_it_is():
    X, Y = numbers()
    for settings in ({}, {"sharing": "l2"}, {"head_sizes": (3,)}, {"head_penalty": L21(0.1)}):
        start = net(max_iter=1, learning_rate_init=1e-300, **settings).fit(X, Y).weights_
        model = net(task_learning_rate={1: 0.0}, alpha=0.1, max_iter=50, **settings).fit(X, Y)
        assert_allclose(model.weights_["head1.weight"][:, 1], start["head1.weight"][:, 1])
        assert np.abs(model.weights_["head1.weight"][:, 0] - start["head1.weight"][:, 0]).max() > 1e-3


def test_soft_sharing_between_apart_and_together():
    X, Y = numbers()
    apart = net(sharing="l2", alpha_sharing=0.0, max_iter=100).fit(X, Y).weights_["hidden1.weight"]
    close = net(sharing="l2", alpha_sharing=100.0, max_iter=100).fit(X, Y).weights_["hidden1.weight"]
    assert apart.shape == (3, 5, 8)
    assert np.ptp(close, axis=0).max() < 0.05 * np.ptp(apart, axis=0).max()
    low = (
        net(sharing="trace", alpha_sharing=0.3, max_iter=500, learning_rate_init=0.01)
        .fit(X, Y)
        .weights_["hidden1.weight"]
    )
    assert np.linalg.matrix_rank(low.reshape(3, -1), tol=1e-8) < 3


def test_cross_stitch_matrices():
    X, Y = numbers()
    model = net(sharing="cross_stitch", hidden_layer_sizes=(6, 4), max_iter=50, learning_rate_init=0.01).fit(X, Y)
    assert [S.shape for S in model.sharing_matrix_] == [(3, 3), (3, 3)]
    assert np.abs(model.sharing_matrix_[0] - np.diag(np.diag(model.sharing_matrix_[0]))).max() > 0.01
    assert model.score(X, Y) > 0


def test_heads_on_lower_layers():
    X, Y = numbers()
    model = net(hidden_layer_sizes=(6, 4), head_layer={1: 0, 2: 1}).fit(X, Y)
    shapes = {name: a.shape for name, a in model.weights_.items() if name.startswith("head") and "weight" in name}
    assert shapes == {"head0.weight": (5, 1), "head1.weight": (6, 1), "head2.weight": (4, 1)}
    assert model.predict(X).shape == (120, 3)


@pytest.mark.parametrize("frame", [False, True])
def test_auxiliary_tasks_are_not_predicted(frame):
    X, Y = numbers()
    names = [0, 2]
    if frame:
        pd = pytest.importorskip("pandas")
        Y, names = pd.DataFrame(Y, columns=list("abc")), ["a", "c"]
    model = net(auxiliary_tasks=names, max_iter=100).fit(X, Y)
    assert model.predict(X).shape == (120, 1)
    assert model.tasks_.tolist() == [1] if not frame else ["b"]
    whole = net(max_iter=100).fit(X, Y)
    assert_allclose(model.predict(X)[:, 0], whole.predict(X)[:, 1])
    own = Y[["b"]] if frame else Y[:, [1]]
    assert_allclose(model.score(X, Y), model.score(X, own))


def test_auxiliary_tasks_in_a_column():
    X, Y = numbers()
    long, y = melt(X, Y)
    model = net(auxiliary_tasks=[0], task_feature=-1).fit(long, y)
    assert model.predict(long).shape == (360,)
    own = long[:, -1] > 0
    assert_allclose(model.score(long, y), model.score(long[own], y[own]))


def test_units_of_the_labels():
    """Labels in another unit: the same net, with heads in that unit."""
    X, Y = numbers()
    model = net(alpha=0.0).fit(X, Y)
    large = net(alpha=0.0).fit(X, 1e4 * Y + 1e6)
    assert_allclose(large.predict(X), 1e4 * model.predict(X) + 1e6, atol=0.01)
    assert_allclose(large.weights_["head1.weight"], 1e4 * model.weights_["head1.weight"], rtol=1e-5, atol=1e-2)
    assert_allclose(large.loss_, 1e8 * model.loss_, rtol=1e-6)


@pytest.mark.parametrize("k", [1e-3, 30.0, 1e4])
def test_labels_in_any_unit(k):
    X, Y = numbers()
    for solver in ("sgd", "adam"):
        model = net(solver=solver, learning_rate_init=0.01, max_iter=300)
        assert_allclose(model.fit(X, k * Y).score(X, k * Y), clone(model).fit(X, Y).score(X, Y), atol=0.01)


def test_warm_start():
    X, Y = numbers()
    model = net(warm_start=True, max_iter=30, learning_rate_init=0.01).fit(X, Y)
    first = model.loss_
    assert model.fit(X, Y).objective_curve_[0] < 1.1 * first
    assert model.n_iter_ == 30


def test_partial_fit():
    X, Y = numbers()
    whole = net(max_iter=1, batch_size=40, shuffle=False).fit(X, Y)
    part = net(batch_size=40, shuffle=False).partial_fit(X, Y)
    assert_allclose(part.predict(X), whole.predict(X))
    for _ in range(60):
        part.partial_fit(X, Y)
    assert part.n_iter_ == 61
    twice = net(max_iter=61, batch_size=40, shuffle=False, tol=0.0).fit(X, Y)
    assert_allclose(part.predict(X), twice.predict(X), rtol=1e-8)


def test_partial_fit_of_some_tasks():
    X, Y = numbers()
    long, y = melt(X, Y)
    tasks = net(task_feature=-1, max_iter=5).fit(long, y)
    before = tasks.predict(long)
    tasks.partial_fit(long[:120], y[:120])
    assert np.abs(tasks.predict(long) - before).max() > 0
    Y[:, 1] = np.nan
    shared = net(max_iter=5).fit(X, numbers()[1]).partial_fit(X[:10], Y[:10])
    assert shared.predict(X).shape == (120, 3)
    with pytest.raises(ValueError, match="Task 7 was not in the first call of partial_fit"):
        tasks.partial_fit(np.c_[X, np.full(120, 7)], Y[:, 0])
    labels = np.where(Y[:, [0, 2]] > 0, "yes", "no")
    model = SharedLayerClassifier((5,), random_state=0).partial_fit(X, labels)
    model.partial_fit(X[:5], labels[:5])
    with pytest.raises(ValueError, match="'maybe', which was not in the first call"):
        model.partial_fit(X[:5], np.full((5, 2), "maybe"))


def test_pickle_and_search():
    X, Y = numbers()
    model = net().fit(X, Y)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    again = pickle.loads(pickle.dumps(model)).partial_fit(X, Y)
    assert_array_equal(again.predict(X), model.partial_fit(X, Y).predict(X))
    slow = net(head_penalty=L21(0.1), max_iter=100, learning_rate_init=0.01)
    search = GridSearchCV(slow, {"head_penalty__alpha": [0.01, 10.0], "alpha": [0.0]}, cv=2)
    assert search.fit(X, Y).best_params_["head_penalty__alpha"] == 0.01


def test_partial_fit_with_classes_to_come():
    X, Y = numbers()
    y = (Y[:, 0] > 0).astype(int)
    model = SharedLayerClassifier((5,), random_state=0).partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    assert model.partial_fit(X[:3], [2, 2, 0]).predict_proba(X).shape == (120, 3)
    labels = np.column_stack([y, y])
    model = SharedLayerClassifier((5,), random_state=0).partial_fit(X, labels, classes=[[0, 1], [0, 1, 7]])
    assert [list(c) for c in model.classes_] == [[0, 1], [0, 1, 7]]


@pytest.mark.parametrize("kind", ["gradient", "error"])
def test_task_affinity(kind):
    X, Y = numbers(n=200, n_tasks=2)
    Y = np.column_stack([Y[:, 0], Y[:, 0], -Y[:, 0], Y[:, 1]])
    model = net(max_iter=1, learning_rate_init=1e-300).fit(X, Y)
    A = model.task_affinity(X, Y, kind=kind)
    assert_allclose(np.diag(A), 1)
    assert_allclose(A, A.T)
    if kind == "error":
        assert A[0, 1] > 0.4 > abs(A[0, 3])
    Y[:150, 0] = np.nan
    assert np.isfinite(model.task_affinity(X, Y, kind=kind)).all()


def test_what_partial_fit_does_not_take():
    X, Y = numbers()
    for settings, message in [
        ({"learning_rate": "cosine"}, "learning_rate='constant'"),
        ({"early_stopping": True}, "early_stopping=False"),
        ({"task_learning_rate": "adaptive"}, "no task_learning_rate='adaptive'"),
    ]:
        with pytest.raises(ValueError, match=message):
            net(**settings).partial_fit(X, Y)
    with pytest.raises(ValueError, match="class_weight as a dict"):
        SharedLayerClassifier((4,), class_weight="balanced").partial_fit(X, Y > 0)
    model = net().partial_fit(X, Y)
    for settings in ({"sharing": "l2"}, {"task_weight": "uncertainty"}, {"dropout": 0.5}, {"head_penalty": L21(1.0)}):
        with pytest.raises(ValueError, match=f"{next(iter(settings))} was .* when training began"):
            clone_fitted(model).set_params(**settings).partial_fit(X, Y)
    with pytest.raises(ValueError, match="NaN only"):
        model.partial_fit(X, np.full_like(Y, np.nan))


def clone_fitted(model):
    return pickle.loads(pickle.dumps(model))


def test_class_weights_count_in_every_part():
    X, Y = numbers()
    y = (Y[:, 0] > 0).astype(int)
    model = SharedLayerClassifier((5,), class_weight={0: 100.0, 1: 1.0}, random_state=0, learning_rate_init=0.01)
    for _ in range(100):
        model.partial_fit(X, y)
    assert model.predict(X).mean() < 0.8 * y.mean()


def test_a_first_part_of_equal_labels():
    X, Y = numbers()
    model = net(learning_rate_init=0.01).partial_fit(X[:7], np.full((7, 3), 0.1))
    for _ in range(400):
        model.partial_fit(X, Y)
    assert model.score(X, Y) > 0.8


def test_a_warm_start_knows_tasks_and_classes():
    X, Y = numbers()
    y = np.where(Y[:, 0] > 0, "a", "b")
    model = SharedLayerClassifier((8,), warm_start=True, max_iter=200, learning_rate_init=0.01, random_state=0).fit(
        X, y
    )
    swapped = np.where(y == "a", "z", "y")
    model.set_params(max_iter=1, learning_rate_init=1e-12).fit(X, swapped)
    assert 0.2 < model.score(X, swapped) < 0.9  # heads begin anew, and are not turned round


def test_a_callback_that_stops_leaves_the_best_state():
    X, Y = numbers(n=60, noise=2.0)
    model = net(hidden_layer_sizes=(50,), early_stopping=True, max_iter=500, learning_rate_init=0.02)
    table, targets = model._read_targets(X, Y, None)
    training = model._begin(model._model(table, targets), table, targets)
    training.settings.n_iter_no_change = 1000
    training.run(500, lambda training: len(training.progress.losses) == 100)
    total = float(np.sum(training.objective.factors * training.means(training.held_out, training.held)))
    assert_allclose(total, training.progress.least)


def test_per_task_stopping_ends_beside_a_task_of_one_class():
    X, Y = numbers(n=80)
    labels = (Y > 0).astype(int)
    labels[:, 1] = 1
    model = SharedLayerClassifier(
        (8,), single_class="constant", early_stopping="per_task", max_iter=2000, random_state=0
    )
    with pytest.warns(UserWarning, match="has only one class"):
        assert model.set_params(learning_rate_init=0.02).fit(X, labels).n_iter_ < 2000


@pytest.mark.parametrize("name", ["reference", "frame", "some", "array of main"])
def test_scores_of_auxiliary_tasks(name):
    pd = pytest.importorskip("pandas")
    from mtlreg.metrics import make_task_scorer

    X, Y = numbers()
    frame = pd.DataFrame(Y, columns=list("abc"))
    model = net(auxiliary_tasks=["b"], max_iter=50).fit(X, frame)
    expected = np.mean(1 - ((Y[:, [0, 2]] - model.predict(X)) ** 2).mean(axis=0) / Y[:, [0, 2]].var(axis=0))
    given = {"reference": Y, "frame": frame, "some": frame[["c", "a"]], "array of main": Y[:, [0, 2]]}[name]
    assert_allclose(model.score(X, given), expected)
    assert_allclose(make_task_scorer("r2")(model, X, given), expected)
    with pytest.raises(ValueError, match="y has 1 columns"):
        model.score(X, Y[:, [0]])


def test_tasks_that_a_fold_has_lost():
    X, Y = numbers()
    long, y = melt(X, Y)
    settings = {"head_layer": {0: 1, 9: 0}, "task_weight": {0: 0.2, 1: 0.2, 2: 0.2, 9: 0.4}}
    model = net(task_feature=-1, task_learning_rate={9: 0.1, 0: 1.0}, auxiliary_tasks=[9, 1], **settings)
    assert_allclose(model.fit(long, y).task_weights_, 1 / 3)


@pytest.mark.parametrize("name", [name for name in penalties.__all__ if name != "Penalty"])
def test_every_penalty_is_taken_or_refused_by_name(name):
    kind = getattr(penalties, name)
    made = {
        "GraphFused": lambda: kind(graph=[(0, 1, 1.0)]),
        "Graph": lambda: kind([(0, 1, 1.0)]),
        "TreeGroups": lambda: kind(tree=[[0, 1], 2]),
        "Chain": lambda: kind([penalties.L1(0.1), L21(0.1)]),
        "InfimalConvolution": lambda: kind([("a", penalties.L1(0.1)), ("b", L21(0.1))]),
        "Coupled": lambda: kind(L21(0.1), penalties.MeanRegularized(0.1)),
        "RowWeighted": lambda: kind(L21(0.1), weights=np.ones(8)),
        "Transposed": lambda: kind(L21(0.1)),
        "HomogeneousPenalty": lambda: pytest.skip("a base class"),
    }.get(name, kind)
    X, Y = numbers(n=40)
    penalty = made()
    model = net(head_penalty=penalty, max_iter=3)
    if penalty.convex and not penalty.part_names:
        assert np.isfinite(model.fit(X, Y).loss_)
    else:
        with pytest.raises(ValueError, match="convex penalty of one part"):
            model.fit(X, Y)


def test_task_affinity_where_it_is_not_defined():
    X, Y = numbers()
    long, y = melt(X, Y)
    A = net(task_feature=-1, max_iter=2).fit(long, y).task_affinity(long, y, kind="error")
    assert np.isnan(A[~np.eye(3, dtype=bool)]).all()
    with pytest.raises(ValueError, match="sharing='hard'"):
        net(sharing="l2", max_iter=2).fit(X, Y).task_affinity(X, Y)
    with pytest.raises(ValueError, match="kind='cosine'"):
        net(max_iter=2).fit(X, Y).task_affinity(X, Y, kind="cosine")


# -- what goes wrong -------------------------------------------------------------------------------------------------


def test_divergence_in_the_first_epoch():
    X, Y = numbers()
    with pytest.raises(ValueError, match="learning_rate_init=1e\\+200 is too large"):
        net(learning_rate_init=1e200, solver="sgd").fit(X, Y)


def test_divergence_later_restores_the_best_state():
    X, Y = numbers()
    model = net(solver="sgd", learning_rate_init=3.0, hidden_layer_sizes=(), max_iter=2000, batch_size=120)
    model.set_params(n_iter_no_change=10**6)
    with pytest.warns(ConvergenceWarning, match="Give a smaller learning_rate_init than 3"):
        model.fit(X, Y)
    assert np.isfinite(model.predict(X)).all()


def test_interrupt_keeps_the_best_state(monkeypatch):
    from mtlreg.neural import _training

    X, Y = numbers()
    whole, epoch = net(max_iter=5).fit(X, Y), _training.Training.epoch

    def interrupted(self):
        if len(self.progress.losses) == 5:
            raise KeyboardInterrupt
        return epoch(self)

    monkeypatch.setattr(_training.Training, "epoch", interrupted)
    model = net()
    with pytest.raises(KeyboardInterrupt):  # searches and comparisons end, too
        model.fit(X, Y)
    assert_array_equal(model.predict(X), whole.predict(X))
    monkeypatch.setattr(_training.Training, "epoch", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert_array_equal(model.predict(X), whole.predict(X))
    fresh = net()
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(X, Y)
    assert not hasattr(fresh, "weights_")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"head_layer": {"d": 0}}, "head_layer names 'd', which is no task"),
        ({"head_layer": 2}, "head_layer is 2 for task 0: give an integer from 0"),
        ({"head_layer": [0, -1, 0]}, "head_layer is -1 for task 1"),
        ({"task_weight": {0: 0.5, 1: 0.5, 2: 0.5}}, "sums to 1.5. Divide it by its sum"),
        ({"task_weight": [0.5, 0.5]}, "task_weight has 2 entries for 3 tasks"),
        ({"task_weight": "equal"}, "task_weight='equal'"),
        ({"task_learning_rate": {9: 1.0}}, "task_learning_rate names 9"),
        ({"task_learning_rate": [-1, 1, 1]}, "task_learning_rate must be finite and >= 0"),
        ({"auxiliary_tasks": [5]}, "auxiliary_tasks names 5"),
        ({"auxiliary_tasks": [0, 1, 2]}, "names all tasks"),
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes must be at least 1"),
        ({"activation": "gelu"}, "activation must be one of"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ({"learning_rate_init": 0.0}, r"learning_rate_init must be in \(0, inf\)"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"sharing": "soft"}, "sharing must be one of"),
        ({"head_penalty": L21(0.1), "head_layer": [0, 1, 1]}, "head_penalty holds the heads of all tasks together"),
        ({"loss": "softmax"}, "is for classifiers"),
    ],
)
def test_bad_settings(settings, message):
    X, Y = numbers(n=20)
    with pytest.raises((ValueError, TypeError), match=message):
        net(**settings).fit(X, Y)


def test_a_compound_head_penalty_is_refused():
    from mtlreg import Dirty

    with pytest.raises(ValueError, match="no proximal operator of the whole"):
        net(head_penalty=Dirty()).fit(*numbers(n=20))


def test_tasks_of_one_row():
    X, Y = numbers(n=20)
    Y[1:, 2] = np.nan
    net().fit(X, Y)
    model = net(early_stopping=True).fit(X, Y)
    assert np.isnan(model.validation_curve_[:, 2]).all()
    with pytest.raises(ValueError, match="Task 2 has 1 labelled row"):
        net(early_stopping="per_task").fit(X, Y)
    with pytest.raises(ValueError, match="Task 2 has 1 labelled row"):
        net(early_stopping=True, auxiliary_tasks=[0, 1]).fit(X, Y)


def test_few_labels_of_many_tasks():
    rng = np.random.default_rng(0)
    for seed in range(20):
        Y = np.full((12, 20), np.nan)
        for t in range(20):
            Y[rng.choice(12, 2, replace=False), t] = rng.standard_normal(2)
        model = net(early_stopping=True, random_state=seed, max_iter=2).fit(rng.standard_normal((12, 2)), Y)
        assert np.isfinite(model.loss_curve_).all()


def test_mixed_losses_with_a_classifier():
    X, Y = numbers(n=20)
    with pytest.raises(ValueError, match="loss='squared' .* is not for classification"):
        SharedLayerClassifier((4,), loss=["logistic", "squared", "logistic"]).fit(X, (Y > 0).astype(int))


def test_counts_that_are_all_zero():
    X, Y = numbers(n=20)
    counts = np.column_stack([np.zeros(20), np.arange(20) % 3])
    with pytest.raises(ValueError, match="Task 0 has no minimum: its counts are all zero"):
        net(loss="poisson").fit(X, counts)


def test_a_task_of_one_class():
    X, Y = numbers(n=40)
    labels = (Y > 0).astype(int)
    labels[:, 1] = 1
    with pytest.warns(UserWarning, match="has only one class"):
        model = SharedLayerClassifier((4,), single_class="constant", random_state=0, max_iter=5).fit(X, labels)
    assert (model.predict(X)[:, 1] == 1).all()
    assert np.isfinite(model.objective_curve_).all()


def test_unseen_tasks():
    X, Y = numbers(n=30)
    long, y = melt(X, Y)
    new = np.c_[X, np.full(30, 9)]
    with pytest.raises(ValueError, match="tasks that were not seen"):
        net(task_feature=-1).fit(long, y).predict(new)
    model = net(task_feature=-1, unseen_task="mean").fit(long, y)
    heads = np.stack([model.predict(np.c_[X, np.full(30, t)]) for t in range(3)])
    assert_allclose(model.predict(new), heads.mean(axis=0))


def test_fit_leaves_its_arguments_and_parameters():
    X, Y = numbers(n=30)
    kept = X.copy(), Y.copy()
    X.flags.writeable = Y.flags.writeable = False
    model = net(hidden_layer_sizes=[4], head_penalty=L21(0.1))
    before = {name: repr(value) for name, value in model.get_params().items()}
    model.fit(np.asfortranarray(X), Y)
    assert {name: repr(value) for name, value in model.get_params().items()} == before
    assert_array_equal(X, kept[0])
    assert_array_equal(Y, kept[1])
