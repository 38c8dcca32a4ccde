"""What the labels say before training: where outputs and noise begin, and the unit that heads count in."""

from __future__ import annotations

import numpy as np

__all__ = ["log_variances", "offsets", "unit"]


def offsets(targets):
    """Where the outputs begin: near the best constants of every task."""
    found = []
    for target in targets:
        total = max(float(target.weights.sum()), 1e-300)
        means = (target.weights * target.labels).sum(axis=0, dtype=np.float64) / total
        found.extend(np.zeros(target.width) if target.n_columns > 1 else target.loss.constant(means))
    return np.array(found)


def unit(targets):
    """The labels' standard deviation within the tasks, where all are numbers of one kind: else 1."""
    if any(target.loss.kind != "regression" for target in targets):
        return 1.0
    squares = total = 0.0
    for target in targets:
        w = target.weights.astype(np.float64)
        squares += float((w * (target.labels - (w * target.labels).sum() / w.sum()) ** 2).sum())
        total += float(w.sum())
    spread = float(np.sqrt(squares / total))
    size = max(float(np.abs(target.labels).max(initial=0.0)) for target in targets)
    return spread if spread > 1e-7 * size else 1.0


def log_variances(targets):
    """Where the noise begins: at the variance of a task's labels; of classes and counts at one."""
    found = np.zeros(len(targets))
    for t, target in enumerate(targets):
        w = target.weights.astype(np.float64)
        if target.loss.kind == "regression":
            variance = float((w * (target.labels - (w * target.labels).sum() / w.sum()) ** 2).sum() / w.sum())
            found[t] = np.log(variance) if variance > 0 else 0.0
    return found
