"""How alike tasks pull at a net: by the gradients of what they share, and by the errors that are left.

References
----------
Lu, Kumar, Zhai, Cheng, Javidi & Feris (2017), Fully-adaptive feature sharing in multi-task networks, CVPR, section 3.2.
Yu, Kumar, Gupta, Levine, Hausman & Finn (2020), Gradient surgery for multi-task learning, NeurIPS.
"""

from __future__ import annotations

import numpy as np

from mtlreg.validation import to_host

__all__ = ["error_affinity", "gradient_affinity"]


def gradient_affinity(training):
    """Cosines of the gradients of every two tasks' losses by the shared hidden layers, (n_tasks, n_tasks).

    NaN for a task without a gradient: one whose head does not hang on a hidden layer.
    """
    objective, variables, rows = training.objective, training.variables, training.rows
    shared = [at for name, at in variables.slices.items() if name.startswith("hidden")]
    gradients = []
    for t in range(rows.n_tasks):
        only, all_rows = np.eye(rows.n_tasks)[t], np.ones(rows.n_tasks)
        total = 0.0
        for part in training.parts(rows.labelled[t]):
            objective.gradients(variables, training.gradients, *rows.batch(part), all_rows, only, 0.0)
            total = total + np.concatenate([to_host(training.gradients.flat[at]) for at in shared])
        gradients.append(total)
    return _cosines(np.array(gradients, dtype=np.float64))


def error_affinity(training):
    """Cosines of what every two tasks' losses are above their means, over the rows that both have labels in.

    NaN where there are no such rows, as for tasks with rows of their own.
    """
    rows, objective = training.rows, training.objective
    errors = np.full((rows.X.shape[0], rows.n_tasks), np.nan)
    for t, labelled in enumerate(rows.labelled):
        for part in training.parts(labelled):
            errors[part, t] = objective.row_losses(training.variables, *rows.batch(part))[:, t]
    errors -= np.nanmean(errors, axis=0)
    seen = ~np.isnan(errors)
    filled = np.where(seen, errors, 0.0)
    sizes = np.sqrt((filled**2).T @ seen)  # of each task's errors on the rows that another has
    with np.errstate(invalid="ignore", divide="ignore"):
        return filled.T @ filled / (sizes * sizes.T)


def _cosines(G):
    sizes = np.linalg.norm(G, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return G @ G.T / np.outer(sizes, sizes)
