"""What the tests of nets have in common: data, and a small net."""

import pickle

import numpy as np

from mtlreg import SharedLayerRegressor


def numbers(n=120, p=5, n_tasks=3, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    hidden = np.tanh(X @ rng.standard_normal((p, 4)))
    return X, hidden @ rng.standard_normal((4, n_tasks)) + noise * rng.standard_normal((n, n_tasks))


def net(**settings):
    return SharedLayerRegressor(**({"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 20} | settings))


def one_unlearnable():
    X, Y = numbers(n=80, noise=0.01)
    Y[:, 1] = np.random.default_rng(1).standard_normal(80)
    return X, Y


def clone_fitted(model):
    return pickle.loads(pickle.dumps(model))
