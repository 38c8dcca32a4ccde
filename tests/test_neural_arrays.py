"""Nets on arrays that allow the array API standard and nothing else, as CuPy's stand-in."""

import array_api_strict as xp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mtlreg import L21, SharedLayerRegressor
from mtlreg.data import melt
from mtlreg.neural._optimizers import make_optimizer
from mtlreg.neural._rows import Rows
from mtlreg.neural._training import Training
from mtlreg.neural._variables import Variables

SETTINGS = [
    {},
    {"hidden_layer_sizes": (6, 4), "head_layer": {1: 0, 2: 1}},
    {"head_sizes": (3,), "activation": "tanh"},
    {"sharing": "l2", "activation": "logistic"},
    {"sharing": "trace"},
    {"sharing": "cross_stitch"},
    {"head_penalty": L21(0.1)},
    {"task_weight": "uncertainty", "solver": "sgd"},
    {"dropout": 0.2, "schedule": "alternate"},
]


def trained(settings, namespace, stacked):
    """The variables after some epochs."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 5))
    Y = X @ rng.standard_normal((5, 3))
    Y[::5, 0] = np.nan
    y = Y
    if stacked:
        X, y = melt(X, Y)
    settings = {"hidden_layer_sizes": (6,), "batch_size": 16} | settings
    model = SharedLayerRegressor(random_state=0, task_feature=-1 if stacked else None, **settings)
    table, targets = model._read_targets(X, y, None)
    fixed = model._model(table, targets)
    training = model._begin(fixed, table, targets)
    if namespace is not np:
        table.X = namespace.asarray(table.X)
        rows = Rows(table, targets, namespace, fixed["_shift"], fixed["_scale"])
        variables = Variables(training.variables.shapes, namespace.asarray(training.variables.flat))
        optimizer = make_optimizer(model.solver, variables, training.objective.held, model.momentum)
        parts = training.train, training.held_out, training.rng, training.progress, training.main
        training = Training(model, training.objective, variables, optimizer, rows, *parts)
    training.run(3)
    return np.asarray(training.variables.flat)


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_same_steps(settings, stacked):
    assert_allclose(trained(settings, xp, stacked), trained(settings, np, stacked), rtol=1e-9, atol=1e-12)
