"""Checks of a net's parameters: errors that name the parameter, the task where there is one, and the remedy."""

from __future__ import annotations

import numbers

import numpy as np

from mtlreg.losses import Loss
from mtlreg.neural._layers import ACTIVATIONS
from mtlreg.penalties import Penalty
from mtlreg.validation import as_float_array, spread_by_task

__all__ = [
    "SHARING",
    "check_partial",
    "check_settings",
    "check_structure",
    "structure",
    "head_layers",
    "layer_sizes",
    "task_factors",
    "task_rates",
    "which_tasks",
]

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
        if not any(_same(value, choice) for choice in choices):
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
    if isinstance(rates, str) and rates == "adaptive" and estimator.early_stopping == "per_task":
        raise ValueError(
            f"{name}: task_learning_rate='adaptive' slows tasks that early_stopping='per_task' takes out: give one of "
            "them."
        )
    if isinstance(rates, str) and rates != "adaptive":
        raise ValueError(f"{name}(task_learning_rate={rates!r}): give None, 'adaptive', a dict or an array.")


def check_partial(estimator):
    """Raise a ValueError for parameters that make no sense where data arrive in parts."""
    name = type(estimator).__name__
    if estimator.early_stopping:
        raise ValueError(f"{name}: partial_fit has no rows to hold out: give early_stopping=False.")
    if estimator.learning_rate != "constant" or isinstance(estimator.task_learning_rate, str):
        raise ValueError(
            f"{name}: partial_fit does not know how long training goes on: give learning_rate='constant', and no "
            "task_learning_rate='adaptive'."
        )
    if isinstance(getattr(estimator, "class_weight", None), str):
        raise ValueError(
            f"{name}: partial_fit does not know how frequent classes will be: give class_weight as a dict."
        )


#: parameters that a net cannot change once training has begun
_STRUCTURE = """activation alpha_sharing auxiliary_tasks dropout head_layer head_penalty head_sizes hidden_layer_sizes
loss momentum multi_class sharing solver standardize""".split()


def structure(estimator):
    """Those parameters as text."""
    found = {name: repr(getattr(estimator, name, None)) for name in _STRUCTURE}
    weight = estimator.task_weight
    return found | {"task_weight": "'uncertainty'" if isinstance(weight, str) and weight == "uncertainty" else "fixed"}


def check_structure(estimator, before):
    """Raise a ValueError that names a parameter which was another one when training began."""
    for name, value in structure(estimator).items():
        if value != before[name]:
            raise ValueError(
                f"{type(estimator).__name__}: {name} was {before[name]} when training began and is {value} now: fit "
                "anew, or set it back."
            )


def _same(value, choice):
    """Whether they are equal and both truth values or both not: 1 is no bool, and a string of NumPy a string."""
    return (
        isinstance(value, bool | np.bool_) == isinstance(choice, bool)
        and isinstance(value, str | bool | np.bool_)
        and value == choice
    )


def layer_sizes(estimator, parameter):
    """The parameter as a tuple: a number is one layer."""
    value = getattr(estimator, parameter)
    if isinstance(value, numbers.Integral):
        return (value,)
    if not isinstance(value, list | tuple | np.ndarray):
        raise TypeError(
            f"{type(estimator).__name__}({parameter}={value!r}): give an integer, or a sequence of integers, one for "
            "each layer."
        )
    return tuple(value)


def _check_count(name, parameter, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}({parameter}={value!r}): {parameter} must be an integer.")
    if value < 1:
        raise ValueError(f"{name}({parameter}={value!r}): {parameter} must be at least 1.")


def _check_known(estimator, value, tasks, parameter):
    """Refuse a dict with a key that is no task.

    With a task column a fold can lose tasks: there at least one key has to be one.
    """
    if not isinstance(value, dict) or not value:
        return
    known = tasks.tolist()
    unknown = [key for key in value if key not in known]
    if unknown and (estimator.task_feature is None or len(unknown) == len(value)):
        raise ValueError(f"{parameter} names {unknown[0]!r}, which is no task; the tasks are {known[:10]}.")


def head_layers(estimator, tasks, n_layers):
    """The layer each task's head hangs on, the last one unless ``head_layer`` says otherwise."""
    value = estimator.head_layer
    if value is None:
        return [n_layers] * len(tasks)
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        layers = [value] * len(tasks)
    else:
        _check_known(estimator, value, tasks, "head_layer")
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
        even = estimator.schedule == "alternate"  # which task is drawn says how much it counts
        return learned.astype(float) if even else totals * learned.sum() / totals.sum()
    if isinstance(value, str):
        if value not in ("balanced", "uncertainty"):
            raise ValueError(f"task_weight={value!r}: give None, 'balanced', 'uncertainty', a dict or an array.")
        return learned.astype(float)
    _check_known(estimator, value, tasks, "task_weight")
    shares = as_float_array(spread_by_task(value, tasks, "task_weight"), "task_weight")
    given = as_float_array(list(value.values()), "task_weight") if isinstance(value, dict) else shares
    if (shares < 0).any() or abs(given.sum() - 1) > 1e-6 or not shares[learned].any():
        raise ValueError(
            f"task_weight must be >= 0 and sum to one over the tasks; {value!r} sums to {given.sum():g}. Divide it by "
            "its sum."
        )
    return shares * learned * (learned.sum() / shares[learned].sum())


def task_rates(estimator, tasks):
    """What each task's gradient is multiplied by at the start."""
    value = estimator.task_learning_rate
    if value is None or isinstance(value, str):
        return np.ones(len(tasks))
    _check_known(estimator, value, tasks, "task_learning_rate")
    rates = as_float_array(spread_by_task(value, tasks, "task_learning_rate", default=1.0), "task_learning_rate")
    if (rates < 0).any() or not np.isfinite(rates).all():
        raise ValueError(f"task_learning_rate must be finite and >= 0, got {value!r}.")
    return rates


def which_tasks(estimator, tasks):
    """For every task, whether it is auxiliary; a ValueError for a name that is no task, or if all are."""
    names = estimator.auxiliary_tasks
    names = [] if names is None else [names] if isinstance(names, str | numbers.Integral) else list(names)
    _check_known(estimator, dict.fromkeys(names), tasks, "auxiliary_tasks")
    found = np.array([task in names for task in tasks.tolist()])
    if found.all():
        raise ValueError("auxiliary_tasks names all tasks, so that there is none to predict.")
    return found
