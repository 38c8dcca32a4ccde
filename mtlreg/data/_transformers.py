"""Transformers that know of the task column."""

from __future__ import annotations

import numbers

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import check_scalar, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted, validate_data

from ._labels import group_rows
from ._split import split_task_column
from ._tables import (
    FRAMES,
    as_frame,
    as_table,
    column_names,
    concat_rows,
    get_column,
    insert_column,
    kind,
    take_rows,
)

__all__ = ["AppendTask", "KeepTask"]


class KeepTask(TransformerMixin, BaseEstimator):
    """Apply a transformer to all columns but the task column.

    The task column comes back unchanged, at the same position and with the same name. If the transformer
    changes the number of columns, the task column is the last one instead.

    Parameters
    ----------
    transformer : transformer
        Cloned before it is fitted.
    task_feature : str or int
        Name of the task column (data frames only) or its position, negative from the end.
    per_task : bool, default=False
        Fit one clone on the rows of each task instead of one on all rows.

    Attributes
    ----------
    transformer_ : transformer
        The fitted clone, if not ``per_task``.
    transformers_ : dict
        The fitted clone of every task, if ``per_task``.
    task_position_ : int
        Position of the task column in X.
    n_features_in_ : int
        Number of columns of X, the task column included.
    feature_names_in_ : ndarray of str
        Names of the columns of X, only if X is a data frame with string names.

    Notes
    -----
    A data frame in gives a data frame of the same library out, unless ``set_output`` or the global
    configuration ask for another one: in an array the name of the task column would be lost. Columns whose
    names are not strings become "x0", "x1", ..., as elsewhere in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from mtlreg.data import KeepTask
    >>> X = np.array([[1.0, 7.0], [3.0, 7.0], [10.0, 8.0], [30.0, 8.0]])
    >>> KeepTask(StandardScaler(), task_feature=-1, per_task=True).fit_transform(X)
    array([[-1.,  7.],
           [ 1.,  7.],
           [-1.,  8.],
           [ 1.,  8.]])
    """

    def __init__(self, transformer, task_feature, per_task=False):
        self.transformer = transformer
        self.task_feature = task_feature
        self.per_task = per_task

    def fit(self, X, y=None, **fit_params):
        """Fit the transformer on the columns beside the task.

        Parameters
        ----------
        X : table (n_rows, n_columns)
            With the task column.
        y : array-like, optional
        **fit_params : dict
            Passed to the ``fit`` of the transformer; what has one value per row is split by task if
            ``per_task``.

        Returns
        -------
        self : KeepTask
        """
        self._fit(X, y, self._routed("fit", fit_params), _fit)
        return self

    def fit_transform(self, X, y=None, **fit_params):
        """Fit and transform, with the transformer's own ``fit_transform``; parameters as in `fit`."""
        params = self._routed("fit_transform", fit_params)
        parts, row_sets = self._fit(X, y, params, _fit_transform)
        return self._put_back(_reassemble(parts, row_sets), X)

    def transform(self, X):
        """Transform the columns beside the task.

        Parameters
        ----------
        X : table (n_rows, n_columns)
            With the task column.

        Returns
        -------
        X_out : table (n_rows, n_columns_out)

        Raises
        ------
        ValueError
            ``per_task``, and X has a task that was not there in `fit`.
        """
        check_is_fitted(self, "task_position_")
        X = as_table(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        rest, tasks, _ = split_task_column(X, self.task_feature)
        if not self.per_task:
            return self._put_back(self.transformer_.transform(rest), X)
        labels, row_sets = group_rows(tasks)
        unseen = [label for label in labels if label not in self.transformers_]
        if unseen:
            raise ValueError(
                f"No transformer was fitted for the tasks {unseen}; fitted ones: {list(self.transformers_)}. "
                "Use per_task=False to transform tasks that are new."
            )
        parts = [
            self.transformers_[label].transform(take_rows(rest, rows))
            for label, rows in zip(labels, row_sets, strict=True)
        ]
        return self._put_back(_reassemble(parts, row_sets), X)

    def _fit(self, X, y, params, call):
        """Fit every clone with ``call``; what it returned for each, and the rows of each."""
        X = as_table(X)
        validate_data(self, X, skip_check_array=True)
        rest, tasks, self.task_position_ = split_task_column(X, self.task_feature)
        names = column_names(X) or [None]
        named = all(isinstance(name, str) for name in names)
        self._columns = names if named else [f"x{j}" for j in range(X.shape[1])]
        if not self.per_task:
            self.transformer_ = clone(self.transformer)
            return [call(self.transformer_, rest, y, **params)], None
        labels, row_sets = group_rows(tasks)
        self.transformers_ = {label: clone(self.transformer) for label in labels}
        results = []
        for inner, rows in zip(self.transformers_.values(), row_sets, strict=True):
            own = {name: _of_rows(value, rows, len(tasks)) for name, value in params.items()}
            results.append(call(inner, take_rows(rest, rows), _of_rows(y, rows, len(tasks)), **own))
        self._check_same_outputs()
        return results, row_sets

    def _check_same_outputs(self):
        """All tasks must get the same columns; a selector fitted on each task could keep different ones."""
        if not hasattr(self._fitted(), "get_feature_names_out"):
            return
        names = {label: self._inner_names(inner) for label, inner in self.transformers_.items()}
        first = next(iter(names))
        for label, own in names.items():
            if own != names[first]:
                raise ValueError(
                    f"The transformer gives other columns for task {label!r} ({_shorten(own)}) than for task "
                    f"{first!r} ({_shorten(names[first])}): use per_task=False."
                )

    def _put_back(self, out, X):
        """The transformed columns with the task column where it was, in the container that is wanted."""
        table = as_table(X)
        same_width = out.shape[1] == self.n_features_in_ - 1
        position = self.task_position_ if same_width else out.shape[1]
        library = self._output_library(out, table)
        if library is not None and kind(out) != "sparse":
            out = as_frame(out, library, self._frame_names(out), like=table)
        return insert_column(out, position, get_column(table, self.task_position_), self._names_in()[1])

    def _output_library(self, out, X):
        """Data frame library of the result, None for an array or a sparse matrix."""
        own = getattr(self, "_sklearn_output_config", {}).get("transform")
        configured = own or get_config()["transform_output"]
        if configured != "default":
            return configured
        return next((kind(table) for table in (out, X) if kind(table) in FRAMES), None)

    def _frame_names(self, out):
        """Names for the columns of a transformed array that becomes a data frame."""
        if hasattr(self._fitted(), "get_feature_names_out"):
            return self._inner_names(self._fitted())
        if out.shape[1] == self.n_features_in_ - 1:
            return self._names_in()[0]
        return [f"{type(self._fitted()).__name__.lower()}{j}" for j in range(out.shape[1])]

    def _fitted(self):
        return next(iter(self.transformers_.values())) if self.per_task else self.transformer_

    def _names_in(self):
        """Names of the other columns, and of the task column."""
        names = list(self._columns)
        task_name = names.pop(self.task_position_)
        return names, task_name

    def _inner_names(self, inner):
        return list(inner.get_feature_names_out(self._names_in()[0]))

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of the result.

        Parameters
        ----------
        input_features : array-like of str, optional
            Must equal ``feature_names_in_`` if that exists; else names for the columns of X.

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self, "task_position_")
        own = getattr(self, "feature_names_in_", None)
        names = list(self._columns if input_features is None else input_features)
        if own is not None and names != list(own):
            raise ValueError("input_features is not equal to feature_names_in_")
        if len(names) != self.n_features_in_:
            raise ValueError(
                f"input_features should have length equal to number of features ({self.n_features_in_}), "
                f"got {len(names)}"
            )
        if not hasattr(self._fitted(), "get_feature_names_out"):
            raise AttributeError(f"{self._fitted()!r} does not provide get_feature_names_out.")
        task_name = names.pop(self.task_position_)
        out = list(self._fitted().get_feature_names_out(names))
        out.insert(self.task_position_ if len(out) == len(names) else len(out), task_name)
        return np.asarray(out, dtype=object)

    def set_output(self, *, transform=None):
        """Set the container of the result, for the transformer inside too.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional

        Returns
        -------
        self : KeepTask
        """
        super().set_output(transform=transform)
        fitted = [vars(self).get("transformer_"), *vars(self).get("transformers_", {}).values()]
        for inner in [self.transformer, *fitted]:
            if hasattr(inner, "set_output"):
                inner.set_output(transform=transform)
        return self

    def _routed(self, method, params):
        if not get_config()["enable_metadata_routing"]:
            return params
        return process_routing(self, method, **params).transformer[method]

    def get_metadata_routing(self):
        """Metadata routing of this object: what is asked for by the transformer goes to it."""
        mapping = MethodMapping()
        for method in ("fit", "fit_transform"):
            mapping.add(caller=method, callee=method)
        return MetadataRouter(owner=type(self).__name__).add(transformer=self.transformer, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        try:
            inner = get_tags(self.transformer)
        except (AttributeError, TypeError, ValueError):
            return tags  # not a scikit-learn transformer; fit will say what is wrong with it
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        tags.target_tags.required = inner.target_tags.required
        return tags


def _fit(transformer, X, y, **params):
    return transformer.fit(X, y, **params)


def _fit_transform(transformer, X, y, **params):
    if hasattr(transformer, "fit_transform"):
        return transformer.fit_transform(X, y, **params)
    return transformer.fit(X, y, **params).transform(X)


def _reassemble(parts, row_sets):
    """The results of all tasks in the order of the rows they came from."""
    if row_sets is None:
        return parts[0]
    return take_rows(concat_rows(parts), np.argsort(np.concatenate(row_sets)))


def _of_rows(values, rows, n_rows):
    """The given rows of anything that has one value per row; other things as they are."""
    shape = [len(values)] if isinstance(values, list | tuple) else list(getattr(values, "shape", ()))
    return take_rows(values, rows) if shape[:1] == [n_rows] else values


def _shorten(names):
    return ", ".join(map(str, names[:5])) + (", ..." if len(names) > 5 else "")


class AppendTask(TransformerMixin, BaseEstimator):
    """Append a task column that is a function of the first feature of the row.

    ``task_i = round(1000 |x_i0|) mod n_tasks``. For tests and examples: with it, data without tasks pass
    through an estimator with ``task_feature=-1``, and a row gets the same task wherever it appears.

    Parameters
    ----------
    n_tasks : int, default=3

    Attributes
    ----------
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if X is a data frame with string names.
    """

    def __init__(self, n_tasks=3):
        self.n_tasks = n_tasks

    def fit(self, X, y=None):
        """Check X and ``n_tasks``.

        Parameters
        ----------
        X : array or sparse matrix (n_rows, n_features)
        y : ignored

        Returns
        -------
        self : AppendTask
        """
        check_scalar(self.n_tasks, "n_tasks", numbers.Integral, min_val=1)
        validate_data(self, X, accept_sparse=("csr", "csc"), dtype=(np.float64, np.float32))
        return self

    def transform(self, X):
        """X with the task as one more column.

        Parameters
        ----------
        X : array or sparse matrix (n_rows, n_features)

        Returns
        -------
        X_out : array or sparse matrix (n_rows, n_features + 1)
            Same dtype and format.
        """
        check_is_fitted(self, "n_features_in_")
        X = validate_data(self, X, accept_sparse=("csr", "csc"), dtype=(np.float64, np.float32), reset=False)
        first = get_column(X, 0).astype(np.float64)
        tasks = np.mod(np.rint(1000 * np.abs(first)), self.n_tasks).astype(np.int64)
        return insert_column(X, X.shape[1], tasks, "task")

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of X, and "task"."""
        check_is_fitted(self, "n_features_in_")
        default = [f"x{j}" for j in range(self.n_features_in_)]
        names = getattr(self, "feature_names_in_", default) if input_features is None else input_features
        return np.asarray([*names, "task"], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
