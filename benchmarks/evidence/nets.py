"""What the studies of nets have in common: the net, its error, and many draws."""

import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning

from mtlreg import SharedLayerRegressor

__all__ = ["draws", "fitted", "unexplained"]


def fitted(X, y, seed, **settings):
    """A net trained until the loss on a fifth of the rows has stopped falling."""
    settings = {
        "activation": "tanh",
        "early_stopping": True,
        "validation_fraction": 0.2,
        "n_iter_no_change": 50,
    } | settings
    net = SharedLayerRegressor(**({"max_iter": 2000, "learning_rate_init": 0.01, "random_state": seed} | settings))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return net.fit(X, y)


def unexplained(y, predicted):
    """Squared error over the variance."""
    return float(np.mean((y - predicted) ** 2) / np.var(y))


def draws(trial, settings, n_seeds, n_jobs):
    """``trial(setting, seed) -> {name: number}`` of many draws, as {name: array (n_settings, n_seeds)}."""
    found = Parallel(n_jobs=n_jobs)(delayed(trial)(setting, seed) for setting in settings for seed in range(n_seeds))
    shape = (len(settings), n_seeds)
    return {name: np.array([one[name] for one in found]).reshape(shape) for name in found[0]}
