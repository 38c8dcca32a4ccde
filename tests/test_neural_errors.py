"""What nets refuse, and what is left of a training that goes wrong."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from mtlreg import (
    L21,
    SharedLayerClassifier,
)
from mtlreg.data import melt
from tests.nets import net, numbers

pytestmark = pytest.mark.filterwarnings(
    "ignore:SharedLayer.* was still improving:sklearn.exceptions.ConvergenceWarning"
)


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
