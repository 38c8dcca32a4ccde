"""Rows held out of training, from every task."""

from __future__ import annotations

import numpy as np

__all__ = ["held_out"]


def held_out(rows, tasks, fraction, rng, *, main, all_tasks):
    """``(train, held out)``: positions of rows.

    Every task keeps labels for training. One whose labels cannot be parted, such as a single one, has none held out.

    Parameters
    ----------
    rows : Rows
    tasks : ndarray (n_tasks,)
    fraction : float
        Of the rows; with a task column of each task's.
    rng : numpy.random.Generator
    main : ndarray of bool (n_tasks,)
        The tasks that are predicted.
    all_tasks : bool
        Whether each of these needs labels that are held out.

    Raises
    ------
    ValueError
        No task that is predicted has any, or one that needs them has none.
    """
    every = rows.rows
    has = np.zeros((rows.X.shape[0], rows.n_tasks), dtype=bool)
    for t, labelled in enumerate(rows.labelled):
        has[labelled, t] = True
    out = np.zeros(len(has), dtype=bool)
    for part in rows.labelled if rows.stacked else [every]:
        out[rng.choice(part, _how_many(len(part), fraction), replace=False)] = True
    _keep_some(has, out, rng)
    _hold_some(has, out, rng)
    without = main & has.any(axis=0) & ~has[out].any(axis=0)
    if (without & all_tasks).any() or not has[out][:, main].any():
        t = int(np.argmax(without))
        raise ValueError(
            f"Task {tasks.tolist()[t]!r} has {has[:, t].sum()} labelled row(s), of which none can be held out: give "
            "another early_stopping, or drop the task."
        )
    return np.setdiff1d(every, np.flatnonzero(out)), np.flatnonzero(out)


def _keep_some(has, out, rng):
    """Give back rows to the training of tasks that have lost all their labels."""
    for t in np.argsort(has.sum(axis=0), kind="stable"):
        if has[:, t].any() and not has[~out, t].any():
            out[rng.choice(np.flatnonzero(has[:, t]))] = False


def _hold_some(has, out, rng):
    """Hold out a row of tasks that have none held out, if no task's training loses its last label by that."""
    left = has[~out].sum(axis=0)
    for t in np.flatnonzero(has.any(axis=0) & ~has[out].any(axis=0)):
        spare = np.flatnonzero(has[:, t] & ~out & (~has | (left > 1)).all(axis=1))
        if len(spare) and not has[out, t].any():
            row = rng.choice(spare)
            out[row] = True
            left = left - has[row]


def _how_many(n, fraction):
    """At least one, and not all."""
    return min(max(int(round(fraction * n)), 1), n - 1) if n > 1 else 0
