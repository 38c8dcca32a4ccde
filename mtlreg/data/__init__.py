"""Helpers between the two ways of giving tasks to an estimator.

An estimator takes either one X shared by all tasks with a 2-D y, where NaN marks a missing label, or a table
in which one column of X, named by ``task_feature``, holds the task of each row and y is 1-D. The functions
here build either from the other, and the transformers leave the task column alone.
"""

from ._reshape import melt, stack_tasks, unmelt
from ._split import feature_importance, split_task_column
from ._transformers import AppendTask, KeepTask

__all__ = [
    "AppendTask",
    "KeepTask",
    "feature_importance",
    "melt",
    "split_task_column",
    "stack_tasks",
    "unmelt",
]
