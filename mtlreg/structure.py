"""Structure between tasks from data: a graph or a tree, from how alike the models of the tasks predict."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform
from sklearn.base import clone

from mtlreg.estimators import MultiTaskRegressor
from mtlreg.penalties import L1
from mtlreg.penalties.tree import linkage_groups
from mtlreg.validation import like, read_features, to_host

__all__ = ["task_graph", "task_tree"]


def task_graph(X, y, task_feature=None, *, threshold=0.5, estimator=None):
    """A graph of the tasks: edges between those whose models predict alike.

    ``r_st`` is the correlation over all rows of X of what the models of tasks s and t predict, each fitted to its own
    task. An edge is where ``|r_st| >= threshold``, its weight is ``r_st``. To be made from training data alone.

    Parameters
    ----------
    X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Both as for an estimator.
    task_feature : str or int, default=None
        The column of X that holds the task; None for 2-D y.
    threshold : float, default=0.5
        The smallest correlation, in absolute value, that makes an edge, in [0, 1].
    estimator : estimator of this package, default=None
        Without sharing between tasks; cloned. None: a ridge on standardised features for each task,
        ``MultiTaskRegressor(L1(0.0, alpha_ridge=0.1), standardize=True)``. Classes that are no numbers need a
        `MultiTaskClassifier`.

    Returns
    -------
    list of (task, task, weight)
        Every edge once, with labels of tasks: `GraphFused` takes it as it is.

    References
    ----------
    Kim & Xing (2009), Statistical estimation of correlated genome associations to a quantitative trait network, PLoS
    Genetics 5: a network of traits by thresholded correlations, here of predictions instead of labels, so that tasks
    with rows of their own have one.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold={threshold!r} must be in [0, 1].")
    tasks, R = _correlations(X, y, task_feature, estimator)
    pairs = zip(*np.triu_indices(len(tasks), 1), strict=True)
    return [(tasks[s], tasks[t], float(R[s, t])) for s, t in pairs if R[s, t] != 0 and abs(R[s, t]) >= threshold]


def task_tree(X, y, task_feature=None, *, method="average", estimator=None):
    """A tree of the tasks by hierarchical clustering, as groups with weights.

    The distance of two tasks is ``1 - |r_st|``, with the correlations of `task_graph`; the weights of the groups come
    from the heights as `TreeGroups` says. To be made from training data alone.

    Parameters
    ----------
    X, y, task_feature, estimator
        As in `task_graph`.
    method : str, default="average"
        How clusters are merged, see `scipy.cluster.hierarchy.linkage`.

    Returns
    -------
    list of (list of tasks, weight)
        Nested groups, with labels of tasks: `TreeGroups` takes it as it is.

    References
    ----------
    Kim & Xing (2010), Tree-guided group lasso for multi-task regression with structured sparsity, ICML, section 3.
    """
    tasks, R = _correlations(X, y, task_feature, estimator)
    if len(tasks) == 1:
        return [(tasks, 1.0)]
    distances = np.clip(1 - np.abs(R), 0.0, 1.0)
    np.fill_diagonal(distances, 0.0)
    return linkage_groups(linkage(squareform(distances, checks=False), method), tasks)


def _correlations(X, y, task_feature, estimator):
    """Labels of the tasks, and the correlations (T, T) of their predictions over all rows of X."""
    if estimator is None:
        estimator = MultiTaskRegressor(L1(0.0, alpha_ridge=0.1), standardize=True)
    model = clone(estimator).set_params(task_feature=task_feature).fit(X, y)
    tasks = np.asarray(model.tasks_).tolist()
    coef = np.atleast_2d(to_host(model.coef_))
    widths = {sum(1 for task, _ in model.columns_ if task == one) for one in tasks}
    if len(widths) > 1:
        raise ValueError("The tasks have different numbers of classes, and so no models that could be compared.")
    rows = read_features(model, X, reset=False)[0]
    eta = np.asarray(to_host(rows @ like(coef.T, rows)), dtype=np.float64)
    eta = eta - eta.mean(axis=0)
    # a task's columns, one below the other
    flat = eta.reshape(len(eta), len(tasks), -1).transpose(1, 0, 2).reshape(len(tasks), -1)
    norms = np.linalg.norm(flat, axis=1)
    flat = flat / np.where(norms > 0, norms, 1.0)[:, None]
    return tasks, flat @ flat.T
