"""Classifiers: labels of any type, every task with its own classes."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from mtlreg.data._labels import infer_dtype
from mtlreg.encoding import class_targets, class_weights
from mtlreg.estimators._base import MultiTaskBase
from mtlreg.estimators._tasks import as_given
from mtlreg.losses import Logistic, Softmax
from mtlreg.validation import read_table, to_host

__all__ = ["ClassOutputs", "ClassifierBase"]


def _probabilistic(estimator):
    loss = estimator.loss
    losses = loss.values() if isinstance(loss, dict) else loss if isinstance(loss, list | tuple) else [loss]
    return all((one if isinstance(one, str) else one.name) in ("logistic", "softmax") for one in losses)


def _check_labels(labels, task):
    """Refuse labels of a task that are no classes."""
    labels = infer_dtype(labels)
    if labels.dtype.kind == "f" and (labels != np.rint(labels)).any():
        example = labels[labels != np.rint(labels)][0]
        raise ValueError(
            f"Unknown label type: continuous. Task {task!r} has labels such as {example:g}, which are no classes: use "
            "a regressor, such as BlockSparseRegressor."
        )
    _check_order(labels, f"y of task {task!r}")


def _check_order(labels, name):
    if labels.dtype.kind != "O":
        return
    try:
        np.unique(labels)
    except TypeError as error:
        raise TypeError(f"{name} has labels that cannot be sorted ({error}): use one type, such as str.") from None


class ClassOutputs(ClassifierMixin):
    """Labels that are classes: how they are read, predicted from ``_predictors`` and scored."""

    def _read_targets(self, X, y, sample_weight, classes=None):
        table = read_table(self, X, y, sample_weight, numeric=False)
        losses = self._task_losses(table)
        for t, (task, loss) in enumerate(zip(table.task_names, losses, strict=True)):
            if loss.kind != "binary":
                raise ValueError(
                    f"loss={loss.name!r} (task {task!r}) is not for classification: give 'logistic' or "
                    "'squared_hinge'; more than two classes are found from y."
                )
            _check_labels(table.labels_of(t)[0], task)
        if table.stacked:
            _check_order(table.y, "y")
        table.weights = class_weights(table, self.class_weight)
        return table, class_targets(table, losses, self.single_class, self.multi_class, classes)

    def _learned(self, targets, table):
        classes = [target.classes for target in targets]
        learned = {"_task_class_list": classes}
        if self.task_feature is not None:
            learned["classes_"] = np.unique(np.concatenate(classes))
            learned["task_classes_"] = dict(zip(table.task_names, classes, strict=True))
        else:
            learned["classes_"] = classes[0] if table.single else classes
        return learned

    # -- prediction --------------------------------------------------------------------------------------------

    @as_given
    def predict(self, X):
        """The most likely class of every task.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_tasks)
        """
        pieces = [(rows, classes[_winners(eta, classes)]) for rows, eta, classes, _ in self._by_task(X)]
        if self.task_feature is None:
            blocks = [labels for _, labels in pieces]
            return blocks[0] if self._single else _columns(blocks)
        return _by_row(pieces, self.classes_.dtype)

    @as_given
    def decision_function(self, X):
        """Linear predictors.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray or list of ndarrays
            Two classes: positive for the second one. First door: (n_samples,) or (n_samples, n_classes) for a 1-D y;
            (n_samples, n_tasks) if all tasks have at most two classes, else a list with one array a task. Task column:
            (n_samples,) for two classes, else (n_samples, n_classes) with -inf at classes the row's task does not have.
            A task of one class (``single_class="constant"``) has no linear predictor: where the tasks have two classes
            in all, it gets 1 for the second of them and -1 for the first, else 1 (among columns of classes, 0).
        """
        if self.task_feature is None:
            blocks = [self._decision(eta, classes) for _, eta, classes, _ in self._by_task(X)]
            if self._single:
                return blocks[0]
            return np.stack(blocks, axis=1) if all(b.ndim == 1 for b in blocks) else blocks
        check_is_fitted(self)
        if len(self.classes_) == 2:
            pieces = [(rows, self._decision(eta, classes)) for rows, eta, classes, _ in self._by_task(X)]
            return _by_row(pieces, pieces[0][1].dtype)
        return self._scatter(X, lambda eta, classes, _: _class_scores(eta, classes), -np.inf)

    @available_if(_probabilistic)
    @as_given
    def predict_proba(self, X):
        """Class probabilities (for losses that have them).

        One-vs-rest tasks: those of each class against the rest, divided by their sum.

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
            blocks = [_probabilities(eta, classes, loss) for _, eta, classes, loss in self._by_task(X)]
            return blocks[0] if self._single else blocks
        check_is_fitted(self)
        return self._scatter(X, _probabilities, 0.0)

    @available_if(_probabilistic)
    @as_given
    def predict_log_proba(self, X):
        """Logarithm of `predict_proba`."""
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            if isinstance(probabilities, list):
                return [np.log(to_host(p)) for p in probabilities]
            return np.log(to_host(probabilities))

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
        return self._macro_score("accuracy", X, y, sample_weight)

    # -- pieces ------------------------------------------------------------------------------------------------

    def _by_task(self, X):
        """``(rows, predictors, classes, loss)`` of every task there is in X."""
        eta, codes = self._predictors(X)
        if codes is None:
            every = np.arange(eta.shape[0])
            blocks = np.split(eta, np.cumsum(self._widths)[:-1], axis=1)
            yield from ((every, *task) for task in zip(blocks, self._task_class_list, self._losses, strict=True))
            return
        for t in np.unique(codes):
            rows = np.flatnonzero(codes == t)
            if t < 0 and any(len(c) != len(self.classes_) for c in self._task_class_list):
                raise ValueError("unseen_task='mean' needs the same classes in all tasks.")
            t = max(t, 0)
            yield rows, eta[rows, : self._widths[t]], self._task_class_list[t], self._losses[t]

    def _decision(self, eta, classes):
        """Linear predictors of a task: one column for two classes, and for one a sign as if there were two."""
        if len(classes) > 2:
            return eta
        if len(classes) == 2:
            return eta[:, 0]
        known = {label for task in self._task_class_list for label in task.tolist()}
        first = len(known) == 2 and classes.tolist()[0] == min(known)
        return np.full(len(eta), -1 if first else 1, dtype=eta.dtype)

    def _scatter(self, X, function, fill):
        """``function(eta, classes, loss)`` of every task over all classes, ``fill`` at those it does not have."""
        pieces = []
        for rows, eta, classes, loss in self._by_task(X):
            block = np.full((len(rows), len(self.classes_)), fill, dtype=eta.dtype)
            block[:, np.searchsorted(self.classes_, classes)] = function(eta, classes, loss)
            pieces.append((rows, block))
        return _by_row(pieces, pieces[0][1].dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = True
        tags.classifier_tags.multi_label = self.task_feature is None
        # 2-D y of any classes works, but scikit-learn's check behind this tag wants classes_ and predict_proba as
        # arrays wherever there is a decision_function; lists are its own convention for differing classes
        tags.target_tags.multi_output = False
        return tags


class ClassifierBase(ClassOutputs, MultiTaskBase):
    """Base of the linear classifiers."""


def _winners(eta, classes):
    """Positions of the predicted classes."""
    if len(classes) == 1:
        return np.zeros(len(eta), dtype=int)
    return (eta[:, 0] > 0).astype(int) if len(classes) == 2 else np.argmax(eta, axis=1)


def _class_scores(eta, classes):
    """One column a class, also for two."""
    if len(classes) == 1:
        return np.zeros_like(eta)
    return np.concatenate([-eta, eta], axis=1) if len(classes) == 2 else eta


def _probabilities(eta, classes, loss):
    if len(classes) == 1:
        return np.ones_like(eta)
    if loss.name == "softmax":
        return loss.inverse_link(eta)
    scores = _class_scores(eta, classes)
    if len(classes) == 2:
        return loss.inverse_link(scores)
    # sigmoids divided by their sum, from their logarithms: they may all underflow
    return Softmax().inverse_link(-Logistic().value(1, scores))


def _by_row(pieces, dtype):
    """Values of the rows of every task in the order of the rows."""
    n = sum(len(rows) for rows, _ in pieces)
    out = np.empty((n, *pieces[0][1].shape[1:]), dtype=dtype)
    for rows, values in pieces:
        out[rows] = values
    return out


def _columns(blocks):
    """Predicted labels side by side; of one type if they can be."""
    kinds = {("U" if b.dtype.kind == "U" else "n") if b.dtype.kind != "O" else "O" for b in blocks}
    if len(kinds) == 1 and "O" not in kinds:
        return np.stack(blocks, axis=1)
    out = np.empty((len(blocks[0]), len(blocks)), dtype=object)
    for t, block in enumerate(blocks):
        out[:, t] = block
    return out
