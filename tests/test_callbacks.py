"""scikit-learn's callbacks around a fit: told at every certificate or epoch, able to stop it."""

import numpy as np
import pytest
from sklearn.base import clone

from mtlreg import BlockSparseRegressor, SharedLayerRegressor
from mtlreg.datasets import make_block_sparse

pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")


class Recorder:
    """Counts certificates, or epochs, and stops after ``limit`` of them."""

    def __init__(self, limit=None):
        self.limit = limit
        self.names, self.scores, self.torn_down = [], [], False

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        pass

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.names.append(context.task_name)
        if context.task_name in ("certificate", "epoch"):
            self.scores.append(fitted_estimator.score(X, y))
        return self.limit is not None and len(self.scores) >= self.limit

    def teardown(self, estimator, context):
        self.torn_down = True


@pytest.fixture
def data():
    bunch = make_block_sparse(random_state=0)
    return bunch.X, bunch.y


def test_told_at_every_certificate(data):
    recorder = Recorder()
    model = BlockSparseRegressor(alpha=0.1).set_callbacks(recorder).fit(*data)
    assert recorder.names.count("certificate") == len(model.history_["gap"])
    assert recorder.names[-1] == "fit" and recorder.torn_down
    assert recorder.scores[-1] == pytest.approx(model.score(*data))


def test_a_callback_stops_without_a_warning(data):
    model = BlockSparseRegressor(alpha=0.01, tol=1e-12, solver="fista").set_callbacks(Recorder(limit=2)).fit(*data)
    assert not model.converged_
    assert len(model.history_["gap"]) == 2


def test_same_result_with_and_without(data):
    plain = BlockSparseRegressor(alpha=0.1)
    told = clone(plain).set_callbacks(Recorder())
    np.testing.assert_array_equal(plain.fit(*data).coef_, told.fit(*data).coef_)


def net(**settings):
    return SharedLayerRegressor((5,), max_iter=6, learning_rate="cosine", random_state=0, **settings)


def test_a_net_tells_every_epoch(data):
    recorder = Recorder()
    model = net().set_callbacks(recorder).fit(*data)
    assert recorder.names == ["epoch"] * 6 + ["fit"] and recorder.torn_down
    assert recorder.scores[-1] == pytest.approx(model.score(*data))
    np.testing.assert_array_equal(net().fit(*data).predict(data[0]), model.predict(data[0]))


def test_a_callback_stops_a_net(data):
    assert net().set_callbacks(Recorder(limit=2)).fit(*data).n_iter_ == 2
