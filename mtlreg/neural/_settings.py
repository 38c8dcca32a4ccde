"""Checks of a net's parameters: errors that name the parameter, the task where there is one, and the remedy."""

from __future__ import annotations

import numbers

import numpy as np

from mtlreg.losses import Loss
from mtlreg.neural._layers import ACTIVATIONS
from mtlreg.penalties import Penalty
from mtlreg.validation import as_float_array, spread_by_task

__all__ = ["SHARING", "check_settings", "head_layers", "task_factors", "task_rates", "which_tasks"]

SHARING = ("hard", "l2", "trace", "cross_stitch")

_CHOICES = {
    "activation": tuple(ACTIVATIONS),
    "sharing": SHARING,
    "schedule": ("joint", "alternate", "proportional"),
    "solver": ("adam", "sgd"),
    "learning_rate": ("constant", "cosine", "adaptive"),
    "early_stopping": (False, True, "per_task"),
    "shuffle": (False, True),
    "standardize": (False, True),
    "fit_intercept": (True,),
    "warm_start": (False, True),
    "unseen_task": ("error", "mean"),
    "device": ("auto", "cpu", "cuda"),
    "single_class": ("error", "constant"),
    "multi_class": ("softmax", "ovr"),
}
#: name -> (least, largest, whether the least is one of them)
_REALS = {
    "alpha": (0, np.inf, True),
    "alpha_sharing": (0, np.inf, True),
    "learning_rate_init": (0, np.inf, False),
    "tol": (0, np.inf, True),
    "dropout": (0, 1, True),
    "momentum": (0, 1, True),
    "validation_fraction": (0, 1, False),
}
_COUNTS = ("max_iter", "n_iter_no_change")


def check_settings(estimator):
    """Raise a ValueError or TypeError that names a parameter out of its range."""
    name = type(estimator).__name__
    for parameter, choices in _CHOICES.items():
        value = getattr(estimator, parameter, choices[0])
        if not any(type(value) is type(c) and value == c for c in choices):
            raise ValueError(f"{name}({parameter}={value!r}): {parameter} must be one of {list(choices)}.")
    for parameter, (least, largest, closed) in _REALS.items():
        value = getattr(estimator, parameter)
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"{name}({parameter}={value!r}): {parameter} must be a number.")
        if not (least <= value if closed else least < value) or not value < largest:
            bounds = f"{'[' if closed else '('}{least}, {largest})"
            raise ValueError(f"{name}({parameter}={value!r}): {parameter} must be in {bounds}.")
    for parameter in _COUNTS:
        _check_count(name, parameter, getattr(estimator, parameter))
    if estimator.batch_size != "auto":
        _check_count(name, "batch_size", estimator.batch_size)
    for parameter in ("hidden_layer_sizes", "head_sizes"):
        for size in layer_sizes(estimator, parameter):
            _check_count(name, parameter, size)
    if not isinstance(estimator.loss, str | Loss | dict | list | tuple):
        raise TypeError(f"{name}(loss={estimator.loss!r}): give a name, a Loss, or a dict or list with one per task.")
    if not isinstance(estimator.head_penalty, Penalty | None):
        raise TypeError(f"{name}(head_penalty={estimator.head_penalty!r}): give a Penalty, such as mtlreg.L21(0.1).")
    rates = estimator.task_learning_rate
    if isinstance(rates, str) and rates != "adaptive":
        raise ValueError(f"{name}(task_learning_rate={rates!r}): give None, 'adaptive', a dict or an array.")


def layer_sizes(estimator, parameter):
    """The parameter as a tuple: a number is one layer."""
    value = getattr(estimator, parameter)
    return (value,) if isinstance(value, numbers.Integral) else tuple(value)


def _check_count(name, parameter, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}({parameter}={value!r}): {parameter} must be an integer.")
    if value < 1:
        raise ValueError(f"{name}({parameter}={value!r}): {parameter} must be at least 1.")


def _check_known(value, tasks, parameter):
    """Refuse a dict with a key that is no task."""
    unknown = [key for key in value if key not in tasks.tolist()] if isinstance(value, dict) else []
    if unknown:
        raise ValueError(f"{parameter} names {unknown[0]!r}, which is no task; the tasks are {tasks.tolist()[:10]}.")


def head_layers(estimator, tasks, n_layers):
    """The layer each task's head hangs on, the last one unless ``head_layer`` says otherwise."""
    value = estimator.head_layer
    if value is None:
        return [n_layers] * len(tasks)
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        layers = [value] * len(tasks)
    else:
        _check_known(value, tasks, "head_layer")
        layers = spread_by_task(value, tasks, "head_layer", default=n_layers)
    for task, layer in zip(tasks.tolist(), layers, strict=True):
        if isinstance(layer, bool) or not isinstance(layer, numbers.Integral) or not 0 <= layer <= n_layers:
            raise ValueError(
                f"head_layer is {layer!r} for task {task!r}: give an integer from 0 (the features) to {n_layers}, the "
                "number of hidden layers."
            )
    return [int(layer) for layer in layers]


def task_factors(estimator, tasks, totals):
    """``n_tasks lambda_t``: what multiplies every task's mean loss, zero for a task of one class."""
    learned = totals > 0
    value = estimator.task_weight
    if value is None:
        even = estimator.schedule != "joint"  # which task is drawn says how much it counts
        return learned.astype(float) if even else totals * learned.sum() / totals.sum()
    if isinstance(value, str):
        if value not in ("balanced", "uncertainty"):
            raise ValueError(f"task_weight={value!r}: give None, 'balanced', 'uncertainty', a dict or an array.")
        return learned.astype(float)
    _check_known(value, tasks, "task_weight")
    shares = as_float_array(spread_by_task(value, tasks, "task_weight"), "task_weight")
    if (shares < 0).any() or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(
            f"task_weight must be >= 0 and sum to one over the tasks; {value!r} sums to {shares.sum():g}. Divide it by "
            "its sum."
        )
    return shares * learned * learned.sum()


def task_rates(estimator, tasks):
    """What each task's gradient is multiplied by at the start."""
    value = estimator.task_learning_rate
    if value is None or isinstance(value, str):
        return np.ones(len(tasks))
    _check_known(value, tasks, "task_learning_rate")
    rates = as_float_array(spread_by_task(value, tasks, "task_learning_rate", default=1.0), "task_learning_rate")
    if (rates < 0).any() or not np.isfinite(rates).all():
        raise ValueError(f"task_learning_rate must be finite and >= 0, got {value!r}.")
    return rates


def which_tasks(names, tasks):
    """For every task, whether it is auxiliary; a ValueError for a name that is no task, or if all are."""
    names = [] if names is None else [names] if isinstance(names, str | numbers.Integral) else list(names)
    _check_known(dict.fromkeys(names), tasks, "auxiliary_tasks")
    found = np.array([task in names for task in tasks.tolist()])
    if found.all():
        raise ValueError("auxiliary_tasks names all tasks, so that there is none to predict.")
    return found
