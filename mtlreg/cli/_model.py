"""A trained model in a file, with all that prediction needs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields

import joblib
import numpy as np
import sklearn
from sklearn.exceptions import InconsistentVersionWarning

import mtlreg
from mtlreg.cli._checks import InputError
from mtlreg.cli._features import Features
from mtlreg.cli._targets import pair

__all__ = ["SavedModel"]

FORMAT = 1


@dataclass
class SavedModel:
    """What ``--save`` keeps.

    Attributes
    ----------
    estimator : estimator
        Fitted on all rows.
    name : str
        Of the family.
    kind : {"regression", "classification"}
    features : Features
    targets : list of str
    task : str or None
        The task column.
    tasks : list of str
        Tasks that were trained: targets, tasks of the column, or pairs of both.
    classes : dict of list
        Classes of each target; empty for regression.
    versions : dict of str
        Of mtlreg and scikit-learn.
    """

    estimator: object
    name: str
    kind: str
    features: Features
    targets: list
    task: str | None
    tasks: list
    classes: dict
    versions: dict

    @staticmethod
    def versions_here():
        """Versions of what is installed."""
        return {"mtlreg": mtlreg.__version__, "scikit-learn": sklearn.__version__}

    def save(self, path):
        """Write the file."""
        content = {"mtlreg_model": FORMAT} | {field.name: getattr(self, field.name) for field in fields(self)}
        joblib.dump(content | {"features": vars(self.features)}, path, compress=3)

    @classmethod
    def load(cls, path):
        """Read a file; an error unless `save` has written it."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InconsistentVersionWarning)  # said by `differing_versions`
                content = joblib.load(path)
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such file; 'compare --save' writes one.") from None
        except Exception as error:  # unpickling raises whatever the bytes happen to mean
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(f"{path} is not a model that 'compare --save' has written: {reason}") from None
        if not isinstance(content, dict) or "mtlreg_model" not in content:
            raise InputError(
                f"{path} is not a model that 'compare --save' has written, but a {type(content).__name__}."
            )
        if content.pop("mtlreg_model") != FORMAT:
            raise InputError(
                f"{path} has another format than mtlreg {mtlreg.__version__} reads: train the model again."
            )
        return cls(**content | {"features": Features(**content["features"])})

    @property
    def differing_versions(self):
        """Packages whose version is not the one that the model was trained with."""
        here = self.versions_here()
        return [f"{name} {old} (here {here[name]})" for name, old in self.versions.items() if old != here[name]]

    def predict(self, X, tasks=None):
        """Columns of predictions.

        Parameters
        ----------
        X : DataFrame (n_rows, n_features)
            As ``features.table`` returns it.
        tasks : ndarray (n_rows,) or None
            If there is a task column.

        Returns
        -------
        columns : dict of list
            By name; None where a row's task had no label of the target in training.
        """
        columns = {}
        for j, target in enumerate(self.targets):
            rows, table = self._rows(X, tasks, target)
            predicted, chance = self._respond(table, j, target) if len(rows) else ([], [])
            columns[target] = _spread(predicted, rows, len(X))
            if len(self.classes.get(target, ())) == 2:
                columns[f"{target}_probability"] = _spread(chance, rows, len(X))
        return columns

    def _rows(self, X, tasks, target):
        """Rows that can be predicted, and the table that the estimator takes for them."""
        if tasks is None:
            return range(len(X)), X
        names = tasks if len(self.targets) == 1 else np.array([pair(task, target) for task in tasks], dtype=object)
        rows = np.flatnonzero(np.isin(names.astype(str), np.array(self.tasks, dtype=str)))
        return rows, X.iloc[rows].assign(**{self.task: names[rows]})

    def _respond(self, table, j, target):
        """Predictions of one target and, for two classes, the probability of the second."""
        one = self.task is not None or len(self.targets) == 1
        predicted = np.asarray(self.estimator.predict(table)).reshape(len(table), -1)[:, 0 if one else j].tolist()
        if self.kind == "regression":
            return predicted, []
        original = {str(c): c for found in self.classes.values() for c in found}
        predicted = [original[str(c)] for c in predicted]
        if len(self.classes[target]) != 2:
            return predicted, []
        chances = self.estimator.predict_proba(table)
        if isinstance(chances, list):
            chances = chances[0 if one else j]
        second = self.classes[target][1]
        return predicted, chances[:, self._order(chances.shape[1], target).index(str(second))].tolist()

    def _order(self, n_columns, target):
        """Classes of the columns of a probability: those of the target, or of all targets in a model for all."""
        own, every = self.classes[target], sum(self.classes.values(), [])
        if len({type(c) for c in every}) > 1:  # then they were given as text
            own, every = map(str, own), map(str, every)
        return [str(c) for c in sorted(set(own if n_columns == 2 else every))]


def _spread(values, rows, n):
    column = [None] * n
    for row, value in zip(rows, values, strict=True):
        column[row] = value
    return column
