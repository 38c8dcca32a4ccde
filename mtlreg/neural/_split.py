"""Rows held out of training, from every task."""

from __future__ import annotations

import numpy as np

__all__ = ["held_out"]


def held_out(rows, tasks, fraction, rng, *, all_tasks):
    """``(train, held out)``: positions of rows, such that every task has labels in both.

    A task with a single labelled row has it in the first only, unless ``all_tasks`` are asked for.

    Raises
    ------
    ValueError
        A task has a single labelled row, or its rows cannot be parted from those of others.
    """
    for task, labelled in zip(tasks.tolist(), rows.labelled, strict=True):
        if all_tasks and len(labelled) == 1:
            raise ValueError(
                f"Task {task!r} has one labelled row, of which none can be held out to stop it by: give another "
                "early_stopping, or drop the task."
            )
    out = np.zeros(rows.X.shape[0], dtype=bool)
    if rows.stacked:
        for labelled in rows.labelled:
            out[rng.choice(labelled, _how_many(len(labelled), fraction), replace=False)] = True
    else:
        every = rows.rows
        out[rng.choice(every, _how_many(len(every), fraction), replace=False)] = True
        # a task may have lost all its labels to one side: move one row, that of the smallest tasks last
        for labelled in sorted(rows.labelled, key=len, reverse=True):
            inside = out[labelled]
            if len(labelled) > 1 and not inside.any() or len(labelled) and inside.all():
                out[rng.choice(labelled)] ^= True
        for task, labelled in zip(tasks.tolist(), rows.labelled, strict=True):
            if len(labelled) and out[labelled].all():
                raise ValueError(
                    f"The few labels of task {task!r} all fell among the rows held out: give another random_state, a "
                    "smaller validation_fraction, or early_stopping=False."
                )
    return np.setdiff1d(rows.rows, np.flatnonzero(out)), np.flatnonzero(out)


def _how_many(n, fraction):
    """At least one, and not all."""
    return min(max(int(round(fraction * n)), 1), n - 1) if n > 1 else 0
