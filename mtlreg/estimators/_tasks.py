"""What all estimators share, linear or not: both doors, a loss for every task, scores over the tasks."""

from __future__ import annotations

from functools import wraps

import numpy as np
from sklearn.base import BaseEstimator

from mtlreg.data import split_task_column
from mtlreg.estimators._callbacks import CallbackSupportMixin
from mtlreg.losses import as_loss
from mtlreg.metrics import multitask_score
from mtlreg.validation import like, spread_by_task

__all__ = ["TaskModel", "as_given"]


def as_given(predict):
    """A method whose result is an array of the kind that X is; inside it is one of NumPy."""

    @wraps(predict)
    def wrapped(self, X):
        return like(predict(self, X), X)

    return wrapped


class TaskModel(CallbackSupportMixin, BaseEstimator):
    """Base of the estimators, with the parameters ``loss``, ``task_feature`` and ``unseen_task``."""

    def _task_losses(self, table):
        """The loss of every task."""
        if isinstance(self.loss, dict | list | tuple):
            return [as_loss(loss) for loss in spread_by_task(self.loss, table.tasks, "loss")]
        return [as_loss(self.loss)] * len(table.tasks)

    def _learn(self, attributes):
        """Put fitted attributes in the place of those of an earlier fit, all at once."""
        kept = {name: value for name, value in vars(self).items() if not name.endswith("_")}
        self.__dict__ = kept | attributes

    def _task_codes(self, tasks):
        known = {task: t for t, task in enumerate(self.tasks_.tolist())}
        labels, inverse = np.unique(tasks, return_inverse=True)
        codes = np.array([known.get(label, -1) for label in labels.tolist()], dtype=np.int64)
        if (codes < 0).any() and self.unseen_task == "error":
            unseen = labels[codes < 0].tolist()
            raise ValueError(
                f"X has tasks that were not seen in fit: {unseen[:5]}. Give unseen_task='mean' to predict them with "
                "the mean of the tasks."
            )
        return codes[inverse]

    def _macro_score(self, metric, X, y, sample_weight):
        """The mean over the tasks of a metric of what is predicted."""
        predicted = self.predict(X)
        tasks = None if self.task_feature is None else split_task_column(X, self.task_feature)[1]
        return multitask_score(y, predicted, metric, average="macro", tasks=tasks, sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = self.task_feature is None
        return tags
