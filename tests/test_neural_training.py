"""How nets are trained: schedules, what tasks count, when they stop, how much they share."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from mtlreg import (
    L21,
)
from mtlreg.data import melt
from tests.nets import net, numbers, one_unlearnable

pytestmark = pytest.mark.filterwarnings(
    "ignore:SharedLayer.* was still improving:sklearn.exceptions.ConvergenceWarning"
)


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
