"""Classifiers: labels of any type, every task with its own classes."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d

from mtlreg.data import split_task_column
from mtlreg.encoding import class_targets
from mtlreg.estimators._base import MultiTaskBase
from mtlreg.metrics import multitask_score
from mtlreg.validation import read_table

__all__ = ["ClassifierBase"]


def _probabilistic(estimator):
    loss = estimator.loss
    losses = loss.values() if isinstance(loss, dict) else loss if isinstance(loss, list | tuple) else [loss]
    return all((one if isinstance(one, str) else one.name) in ("logistic", "softmax") for one in losses)


def _check_labels(labels, task):
    """Refuse labels of a task that are no classes."""
    if labels.dtype.kind == "f" and (labels != np.rint(labels)).any():
        example = labels[labels != np.rint(labels)][0]
        raise ValueError(
            f"Unknown label type: continuous. Task {task!r} has labels such as {example:g}, which are no classes: use "
            "a regressor, such as BlockSparseRegressor."
        )
    if labels.dtype.kind == "O" and len({isinstance(label, str) for label in labels}) > 1:
        raise TypeError(f"Task {task!r} mixes strings and other labels in y: use one type.")


class ClassifierBase(ClassifierMixin, MultiTaskBase):
    """Base of the classifiers."""

    def _read_targets(self, X, y, sample_weight):
        if len(getattr(y, "shape", ())) == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        table = read_table(self, X, y, sample_weight, numeric=False)
        losses = self._task_losses(table)
        for t, (task, loss) in enumerate(zip(table.task_names, losses, strict=True)):
            if loss.kind != "binary":
                raise ValueError(
                    f"loss={loss.name!r} (task {task!r}) is not for classification: give 'logistic' or "
                    "'squared_hinge'; more than two classes are found from y."
                )
            _check_labels(table.labels_of(t)[0], task)
        targets = class_targets(table, losses, self.class_weight, self.single_class, self.multi_class)
        return table, targets

    def _learned(self, encoding, table):
        classes = [target.classes for target in encoding.targets]
        learned = {"_task_class_list": classes}
        if self.task_feature is not None:
            learned["classes_"] = np.unique(np.concatenate(classes))
            learned["task_classes_"] = dict(zip(table.task_names, classes, strict=True))
        else:
            learned["classes_"] = classes[0] if table.single else classes
        return learned

    # -- prediction --------------------------------------------------------------------------------------------

    def predict(self, X):
        """The most likely class of every task.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_tasks)
        """
        pieces = [(rows, classes[self._winners(eta, classes)]) for rows, eta, classes in self._by_task(X)]
        if self.task_feature is None:
            blocks = [labels for _, labels in pieces]
            return blocks[0] if self._single else _columns(blocks)
        out = np.empty(sum(len(rows) for rows, _ in pieces), dtype=self.classes_.dtype)
        for rows, labels in pieces:
            out[rows] = labels
        return out

    def decision_function(self, X):
        """Linear predictors.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray or list of ndarrays
            Two classes: positive for the second one. First door: (n_samples,) or (n_samples, n_classes) for a 1-D y;
            (n_samples, n_tasks) if all tasks have two classes, else a list with one array a task. Task column:
            (n_samples,) for two classes, else (n_samples, n_classes) with -inf at classes the row's task does not have.
        """
        if self.task_feature is None:
            blocks = [_decision(eta, classes) for _, eta, classes in self._by_task(X)]
            if self._single:
                return blocks[0]
            return np.stack(blocks, axis=1) if all(b.ndim == 1 for b in blocks) else blocks
        check_is_fitted(self)
        if len(self.classes_) == 2:
            return self._scatter(X, _signed, np.nan, self.classes_[1:])[:, 0]
        return self._scatter(X, _class_scores, -np.inf, self.classes_)

    @available_if(_probabilistic)
    def predict_proba(self, X):
        """Class probabilities (for losses that have them).

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or list of such
            A list with one array a task for 2-D y, as scikit-learn's multi-output classifiers. Task column: one array
            over all ``classes_``, zero at classes the row's task does not have.
        """
        if self.task_feature is None:
            blocks = [_probabilities(eta, classes) for _, eta, classes in self._by_task(X)]
            return blocks[0] if self._single else blocks
        check_is_fitted(self)
        return self._scatter(X, _probabilities, 0.0, self.classes_)

    @available_if(_probabilistic)
    def predict_log_proba(self, X):
        """Logarithm of `predict_proba`."""
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            if isinstance(probabilities, list):
                return [np.log(p) for p in probabilities]
            return np.log(probabilities)

    def score(self, X, y, sample_weight=None):
        """Macro average over the tasks of the accuracy; missing labels are left out.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        float
        """
        predicted = self.predict(X)
        tasks = None if self.task_feature is None else split_task_column(X, self.task_feature)[1]
        return multitask_score(y, predicted, "accuracy", average="macro", tasks=tasks, sample_weight=sample_weight)

    # -- pieces ------------------------------------------------------------------------------------------------

    def _by_task(self, X):
        """``(rows, predictors, classes)`` of every task there is in X."""
        eta, codes = self._predictors(X)
        if codes is None:
            edges = np.concatenate([[0], np.cumsum(self._widths)])
            every = np.arange(eta.shape[0])
            for t, classes in enumerate(self._task_class_list):
                yield every, eta[:, edges[t] : edges[t + 1]], classes
            return
        for t in np.unique(codes):
            rows = np.flatnonzero(codes == t)
            if t < 0 and any(len(c) != len(self.classes_) for c in self._task_class_list):
                raise ValueError("unseen_task='mean' needs the same classes in all tasks.")
            yield rows, eta[rows, : self._widths[max(t, 0)]], self._task_class_list[max(t, 0)]

    @staticmethod
    def _winners(eta, classes):
        if len(classes) == 1:
            return np.zeros(eta.shape[0], dtype=int)
        return (eta[:, 0] > 0).astype(int) if eta.shape[1] == 1 else np.argmax(eta, axis=1)

    def _scatter(self, X, function, fill, columns):
        """``function(eta, classes)`` of every task in an array over ``columns``, ``fill`` elsewhere."""
        pieces = [(rows, function(eta, classes), classes) for rows, eta, classes in self._by_task(X)]
        n = sum(len(rows) for rows, _, _ in pieces)
        out = np.full((n, len(columns)), fill, dtype=np.result_type(*(p.dtype for _, p, _ in pieces)))
        for rows, values, classes in pieces:
            at = [0] if values.ndim == 1 else np.searchsorted(columns, classes)
            out[np.ix_(rows, at)] = values[:, None] if values.ndim == 1 else values
        if function is _signed:
            for rows, _, classes in pieces:
                if len(classes) == 1:
                    out[rows] = 1.0 if classes[0] == self.classes_[1] else -1.0
        return out

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = True
        tags.classifier_tags.multi_label = self.task_feature is None
        # 2-D y of any classes works, but scikit-learn's check behind this tag wants classes_ and predict_proba as
        # arrays wherever there is a decision_function; lists are its own convention for differing classes
        tags.target_tags.multi_output = False
        return tags


def _decision(eta, classes):
    return eta[:, 0] if len(classes) <= 2 else eta


def _signed(eta, classes):
    return eta[:, 0]


def _class_scores(eta, classes):
    """One column a class, also for two."""
    if len(classes) == 1:
        return np.zeros_like(eta)
    return np.concatenate([-eta, eta], axis=1) if len(classes) == 2 else eta


def _probabilities(eta, classes):
    if len(classes) == 1:
        return np.ones_like(eta)
    if len(classes) == 2:
        p = _sigmoid(eta)
        return np.concatenate([_sigmoid(-eta), p], axis=1)
    return _softmax(eta)


def _sigmoid(eta):
    e = np.exp(-np.abs(eta))
    return np.where(eta >= 0, 1 / (1 + e), e / (1 + e))


def _softmax(eta):
    e = np.exp(eta - eta.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _columns(blocks):
    """Predicted labels side by side; of one type if they can be."""
    kinds = {("U" if b.dtype.kind == "U" else "n") if b.dtype.kind != "O" else "O" for b in blocks}
    if len(kinds) == 1 and "O" not in kinds:
        return np.stack(blocks, axis=1)
    out = np.empty((len(blocks[0]), len(blocks)), dtype=object)
    for t, block in enumerate(blocks):
        out[:, t] = block
    return out
