"""Scores of several tasks: one by one, averaged, pooled, and as scorers for model selection.

Every function takes both layouts. Shared rows: ``y_true`` (n, T), one column per task, where NaN, None and NA
are missing labels and are left out. Stacked rows: ``y_true`` (n,) with the task of every row in ``tasks``.

Short names of metrics
    Errors (smaller is better): "mse", "rmse", "mae", "poisson_deviance", "log_loss".
    Scores: "r2", "explained_variance", "accuracy", "balanced_accuracy", "roc_auc", "average_precision".

A short name, or the function of `sklearn.metrics` behind it, is known to be undefined for some tasks and
gives NaN there: "r2" and "explained_variance" with fewer than two labels or a constant y, "roc_auc" and
"average_precision" with a single class, every metric without labels. Any other callable must know for
itself. With more than two classes "roc_auc" and "average_precision" are means over the classes of y_true,
each against the rest; a label that is none of the classes counts as predicted with probability zero in
"log_loss".
"""

from __future__ import annotations

from ._scorer import TaskScorer, make_task_scorer
from ._scores import average_scores, macro_r2, multitask_score, pooled_r2, task_scores, weighted_r2

__all__ = [
    "TaskScorer",
    "average_scores",
    "macro_r2",
    "make_task_scorer",
    "multitask_score",
    "pooled_r2",
    "task_scores",
    "weighted_r2",
]
