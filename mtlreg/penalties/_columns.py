"""Which columns of W belong together: tasks with several classes have a column for each."""

from __future__ import annotations

from collections import Counter

__all__ = ["column_chains", "column_groups"]


def column_groups(columns):
    """Positions of the columns that speak for the same thing in different tasks, a list for each.

    That is the same class, for tasks of more than two; all tasks with one column are together.
    """
    width = Counter(task for task, _ in columns)
    groups = {}
    for k, (task, label) in enumerate(columns):
        groups.setdefault(label if width[task] > 1 else None, []).append(k)
    return list(groups.values())


def column_chains(columns, order=None):
    """`column_groups`, each in the order of its tasks.

    Parameters
    ----------
    columns : list of (task, class)
    order : list, default=None
        Labels of tasks; those without columns are left out. None: the order of the columns.

    Raises
    ------
    ValueError, TypeError
        If a task is missing in ``order``, or in it twice; if ``order`` is no list.
    """
    if order is None:
        return column_groups(columns)
    if isinstance(order, str) or not hasattr(order, "__iter__"):
        raise TypeError(f"order={order!r} must be a list of task labels.")
    order = list(order)
    place = {task: k for k, task in enumerate(order)}
    if len(place) < len(order):
        raise ValueError(f"order={order!r} names a task twice.")
    missing = [task for task, _ in columns if task not in place]
    if missing:
        raise ValueError(f"order={order!r} leaves out task {missing[0]!r}: give the order of all tasks in the data.")
    return [sorted(group, key=lambda k: place[columns[k][0]]) for group in column_groups(columns)]
