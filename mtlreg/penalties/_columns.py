"""Which columns of W belong together, and the labels of tasks in what a user gives to say so.

Tasks with several classes have a column for each.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

__all__ = [
    "NumberedColumns",
    "SortedColumns",
    "column_chains",
    "column_groups",
    "plain_label",
    "shown_labels",
    "warn_of_unknown",
]


class NumberedColumns(list):
    """Columns of a bare W: numbers stand for tasks that nobody has named."""


class SortedColumns(list):
    """Columns (task, class) that stand in the order in which the labels of their tasks sort, for want of another."""


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
        If a task is missing in ``order``, or in it twice; if ``order`` is no list; if there is none, and that of the
        columns is alphabetical.
    """
    if order is None:
        _check_order(columns)
        return column_groups(columns)
    if isinstance(order, str | bytes) or not (isinstance(order, Sequence) or hasattr(order, "__array__")):
        raise TypeError(f"order={order!r} must be a list of task labels.")
    order = [plain_label(task, "order") for task in order]
    place = {task: k for k, task in enumerate(order)}
    if len(place) < len(order):
        raise ValueError(f"order={order!r} names a task twice.")
    missing = [task for task, _ in columns if task not in place]
    if missing:
        raise ValueError(f"order={order!r} leaves out task {missing[0]!r}: give the order of all tasks in the data.")
    return [sorted(group, key=lambda k: place[columns[k][0]]) for group in column_groups(columns)]


def _check_order(columns):
    """Refuse names that have been sorted: "m6" would come after "m12". Fewer than three have only one order."""
    tasks = list(dict.fromkeys(task for task, _ in columns))
    if isinstance(columns, SortedColumns) and len(tasks) > 2 and any(isinstance(task, str) for task in tasks):
        raise ValueError(
            f"order=None: the tasks {shown_labels(tasks)} have no order of their own but the alphabet's; give order, a "
            "list of all tasks."
        )


def plain_label(label, parameter):
    """A label as a Python object, which prints as it was written; a TypeError names the parameter it is from."""
    label = label.item() if isinstance(label, np.generic) else label
    if not isinstance(label, Hashable):
        raise TypeError(f"{parameter} has {label!r} in the place of a task, which cannot be the label of one.")
    return label


def shown_labels(labels):
    """The first few labels, for a message."""
    shown = ", ".join(repr(label.item() if isinstance(label, np.generic) else label) for label in list(labels)[:4])
    return shown + (", ..." if len(labels) > 4 else "")


def warn_of_unknown(parameter, named, columns):
    """Warn of labels that are no task's: a part of the data may lack a task, but a label may be misspelt too."""
    tasks = {task for task, _ in columns}
    unknown = [label for label in dict.fromkeys(named) if label not in tasks]
    if unknown and not isinstance(columns, NumberedColumns):
        warnings.warn(
            f"{parameter} names tasks that are not in the data, and are left out: {shown_labels(unknown)}.",
            UserWarning,
            stacklevel=2,
        )
