"""Data that arrive in parts: labels of the tasks and classes that a net already knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mtlreg.data._labels import label_matrix
from mtlreg.encoding import class_weights
from mtlreg.validation import read_table, to_host

__all__ = ["known_targets"]


def known_targets(estimator, X, y, sample_weight, known):
    """``(table, targets)`` of new rows, with a target for each of the ``known`` ones, empty where no label is new.

    Raises
    ------
    ValueError
        A task or a class that was not in the first part.
    """
    numeric = known[0].classes is None
    names = None
    if estimator.task_feature is None:
        y, sample_weight, names = _observed_columns(y, sample_weight, [target.task for target in known])
    table = read_table(estimator, X, y, sample_weight, numeric=numeric)
    if not numeric:
        table.weights = class_weights(table, estimator.class_weight)
    places = {task: t for t, task in enumerate(table.task_names if names is None else names)}
    unknown = [task for task in places if task not in {target.task for target in known}]
    if unknown:
        raise ValueError(f"Task {unknown[0]!r} was not in the first call of partial_fit, which fixes the tasks.")
    targets, starts, rows = [], [0], []
    for target in known:
        t = places.get(target.task)
        if table.stacked:
            own = np.arange(table.starts[t], table.starts[t + 1]) if t is not None else np.arange(0)
            rows.append(own)
            starts.append(starts[-1] + len(own))
            labels, weights = table.y[own], table.weights[own]
        elif t is None:
            labels = np.full(len(table.y), 0 if numeric else target.classes[0])
            weights = np.zeros(len(table.y), dtype=table.weights.dtype)
        else:
            labels, weights = table.y[:, t], table.weights[:, min(t, table.weights.shape[1] - 1)]
        targets.append(_relabelled(target, labels, weights))
    if table.stacked:
        table = replace(table, X=table.X[np.concatenate(rows)], starts=starts)
    return table, targets


def _observed_columns(y, sample_weight, tasks):
    """The columns of y that have a label, weights to match, and the tasks they belong to."""
    values, observed, names = label_matrix(y, "y")
    if names is None and values.shape[1] != len(tasks):
        raise ValueError(f"y has {values.shape[1]} columns, and the net {len(tasks)} tasks.")
    keep = np.flatnonzero(observed.any(axis=0))
    if not len(keep):
        raise ValueError("Input y contains NaN only: no label is observed.")
    names = [k if names is None else names[k] for k in keep.tolist()]
    if np.ndim(sample_weight) == 2:
        sample_weight = to_host(sample_weight)[:, keep]
    return (values[:, keep] if np.ndim(y) > 1 else values[:, 0]), sample_weight, names


def _relabelled(target, labels, weights):
    """The target with other labels, encoded by its classes."""
    weights = weights[:, None]
    if target.classes is None:
        counted = np.where(weights[:, 0] > 0, labels, 0).astype(float)
        target.loss.check(counted[weights[:, 0] > 0], where=f" in task {target.task!r}")
        return replace(target, labels=counted[:, None], weights=weights)
    codes = np.clip(np.searchsorted(target.classes, labels), 0, len(target.classes) - 1)
    new = (target.classes[codes] != labels) & (weights[:, 0] > 0)
    if new.any():
        raise ValueError(
            f"Task {target.task!r} has the class {labels[new].tolist()[0]!r}, which was not in the first call of "
            "partial_fit."
        )
    codes = codes[:, None]
    if target.labels.shape[1] > 1:
        codes = codes == np.arange(len(target.classes))
    return replace(
        target, labels=codes.astype(target.labels.dtype), weights=0 * weights if target.constant else weights
    )
