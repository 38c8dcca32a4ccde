"""The coefficients of every generator; `_response` draws the data for them."""

from __future__ import annotations

import numbers

import numpy as np
from sklearn.utils import check_random_state, check_scalar

from ._response import respond


def make_block_sparse(
    n_samples=100,
    n_features=30,
    n_tasks=5,
    n_informative=5,
    *,
    noise=None,
    correlation=0.0,
    missing=0.0,
    task_type="regression",
    layout="shared",
    intercept_scale=1.0,
    random_state=None,
):
    """Tasks that use the same few features, with coefficients of their own.

    ``coef[t, j] ~ N(0, 1)`` for j in a random support of ``n_informative`` features, the same for all tasks;
    zero elsewhere.

    Parameters
    ----------
    n_samples : int or list of int
    n_features, n_tasks : int
    n_informative : int
        Size of the support.
    noise, correlation, missing, task_type, layout, intercept_scale, random_state
        As described in `mtlreg.datasets`.

    Returns
    -------
    data : Bunch
        Also has ``support`` (n_informative,), sorted.

    References
    ----------
    Obozinski, Wainwright and Jordan (2011). Support union recovery in high-dimensional multivariate
    regression. Annals of Statistics 39.
    """
    rng = check_random_state(random_state)
    _check_sizes(n_features=n_features, n_tasks=n_tasks)
    support, coef = _draw_rows(rng, n_features, n_tasks, n_informative)
    data = respond(rng, coef, n_samples, noise, correlation, missing, task_type, layout, intercept_scale)
    data.support = support
    return data


def make_dirty(
    n_samples=100,
    n_features=60,
    n_tasks=4,
    n_informative=6,
    *,
    overlap=0.5,
    noise=None,
    correlation=0.0,
    missing=0.0,
    task_type="regression",
    layout="shared",
    intercept_scale=1.0,
    random_state=None,
):
    """Tasks that share a part of their features: rows used by all, and entries used by one.

    ``coef = shared + specific``. Every task has ``n_informative`` non-zero coefficients, all N(0, 1); the
    fraction ``overlap`` of them (rounded) is in ``shared``, on features common to all tasks, the others in
    ``specific``, on features that no other task uses.

    Parameters
    ----------
    n_samples : int or list of int
    n_features, n_tasks : int
    n_informative : int
        Size of the support of every task.
    overlap : float, in [0, 1]
    noise, correlation, missing, task_type, layout, intercept_scale, random_state
        As described in `mtlreg.datasets`.

    Returns
    -------
    data : Bunch
        Also has ``shared`` and ``specific`` (n_tasks, n_features).

    References
    ----------
    Jalali, Ravikumar, Sanghavi and Ruan (2010). A dirty model for multi-task learning. NIPS. (Two tasks
    there.)
    """
    rng = check_random_state(random_state)
    _check_sizes(n_features=n_features, n_tasks=n_tasks, n_informative=n_informative)
    check_scalar(overlap, "overlap", numbers.Real, min_val=0.0, max_val=1.0)
    n_shared = round(overlap * n_informative)
    n_own = n_informative - n_shared
    if n_shared + n_tasks * n_own > n_features:
        raise ValueError(
            f"{n_tasks} tasks with {n_shared} shared and {n_own} own features each need "
            f"{n_shared + n_tasks * n_own} features, but n_features={n_features}."
        )
    features = rng.permutation(n_features)
    shared, specific = np.zeros((n_tasks, n_features)), np.zeros((n_tasks, n_features))
    shared[:, features[:n_shared]] = rng.standard_normal((n_tasks, n_shared))
    own = features[n_shared : n_shared + n_tasks * n_own].reshape(n_tasks, n_own)
    np.put_along_axis(specific, own, rng.standard_normal((n_tasks, n_own)), axis=1)
    data = respond(rng, shared + specific, n_samples, noise, correlation, missing, task_type, layout, intercept_scale)
    data.shared, data.specific = data.scale * shared, data.scale * specific
    return data


def make_low_rank(
    n_samples=100,
    n_features=30,
    n_tasks=8,
    rank=2,
    *,
    noise=None,
    correlation=0.0,
    missing=0.0,
    task_type="regression",
    layout="shared",
    intercept_scale=1.0,
    random_state=None,
):
    """Tasks whose coefficients are combinations of a few patterns.

    ``coef = loadings @ patterns / sqrt(rank)`` with standard normal factors.

    Parameters
    ----------
    n_samples : int or list of int
    n_features, n_tasks : int
    rank : int
        At most the smaller of n_features and n_tasks.
    noise, correlation, missing, task_type, layout, intercept_scale, random_state
        As described in `mtlreg.datasets`.

    Returns
    -------
    data : Bunch
        Also has ``loadings`` (n_tasks, rank), the division by sqrt(rank) included, and ``patterns``
        (rank, n_features).

    References
    ----------
    Negahban and Wainwright (2011). Estimation of (near) low-rank matrices with noise and high-dimensional
    scaling. Annals of Statistics 39.
    """
    rng = check_random_state(random_state)
    _check_sizes(n_features=n_features, n_tasks=n_tasks)
    check_scalar(rank, "rank", numbers.Integral, min_val=1, max_val=min(n_features, n_tasks))
    loadings = rng.standard_normal((n_tasks, rank)) / np.sqrt(rank)
    patterns = rng.standard_normal((rank, n_features))
    data = respond(rng, loadings @ patterns, n_samples, noise, correlation, missing, task_type, layout, intercept_scale)
    data.loadings, data.patterns = data.scale * loadings, patterns
    return data


def make_clustered(
    n_samples=100,
    n_features=30,
    n_tasks=9,
    n_clusters=3,
    *,
    spread=0.1,
    disjoint=False,
    noise=None,
    correlation=0.0,
    missing=0.0,
    task_type="regression",
    layout="shared",
    intercept_scale=1.0,
    random_state=None,
):
    """Clusters of tasks whose coefficients lie around a common centre.

    ``coef_t = center_c(t) + spread * d_t`` with standard normal centres and deviations d_t. With
    ``disjoint`` every cluster has features of its own, about n_features / n_clusters in a row, and all else
    is zero, so that the centres are orthogonal.

    Parameters
    ----------
    n_samples : int or list of int
    n_features, n_tasks : int
    n_clusters : int
        At most n_tasks, and at most n_features if ``disjoint``. Clusters are runs of tasks, of sizes as
        equal as possible.
    spread : float
    disjoint : bool
    noise, correlation, missing, task_type, layout, intercept_scale, random_state
        As described in `mtlreg.datasets`.

    Returns
    -------
    data : Bunch
        Also has ``clusters`` (n_tasks,), the cluster of every task, and ``centers`` (n_clusters, n_features).

    References
    ----------
    Jacob, Bach and Vert (2009). Clustered multi-task learning: a convex formulation. NIPS 21. (Two disjoint
    clusters of two tasks, spread 4/30, and two more features for all tasks.)
    """
    rng = check_random_state(random_state)
    _check_sizes(n_features=n_features, n_tasks=n_tasks)
    most = min(n_tasks, n_features) if disjoint else n_tasks
    check_scalar(n_clusters, "n_clusters", numbers.Integral, min_val=1, max_val=most)
    check_scalar(spread, "spread", numbers.Real, min_val=0.0)
    clusters = np.arange(n_tasks) * n_clusters // n_tasks
    mask = np.ones((n_clusters, n_features))
    if disjoint:
        mask = (np.arange(n_features) * n_clusters // n_features == np.arange(n_clusters)[:, None]).astype(float)
    centers = mask * rng.standard_normal((n_clusters, n_features))
    coef = centers[clusters] + spread * mask[clusters] * rng.standard_normal((n_tasks, n_features))
    data = respond(rng, coef, n_samples, noise, correlation, missing, task_type, layout, intercept_scale)
    data.clusters, data.centers = clusters, data.scale * centers
    return data


def make_task_relation(
    n_samples=100,
    n_features=30,
    n_tasks=5,
    covariance=None,
    *,
    noise=None,
    correlation=0.0,
    missing=0.0,
    task_type="regression",
    layout="shared",
    intercept_scale=1.0,
    random_state=None,
):
    """Tasks whose coefficients are correlated in a known way.

    ``coef[:, j] ~ N(0, covariance)``, independently for every feature j.

    Parameters
    ----------
    n_samples : int or list of int
    n_features, n_tasks : int
    covariance : array (n_tasks, n_tasks), optional
        Positive semidefinite. Default: the correlation matrix ``D G G' D`` with G (n_tasks, n_tasks)
        standard normal and D diagonal, in which tasks are related positively and negatively.
    noise, correlation, missing, task_type, layout, intercept_scale, random_state
        As described in `mtlreg.datasets`.

    Returns
    -------
    data : Bunch
        Also has ``covariance`` (n_tasks, n_tasks).

    References
    ----------
    Zhang and Yeung (2010). A convex formulation for learning task relationships in multi-task learning. UAI.
    """
    rng = check_random_state(random_state)
    _check_sizes(n_features=n_features, n_tasks=n_tasks)
    if covariance is None:
        G = rng.standard_normal((n_tasks, n_tasks))
        G /= np.linalg.norm(G, axis=1, keepdims=True)
        covariance = G @ G.T
    covariance = np.asarray(covariance, dtype=float)
    if covariance.shape != (n_tasks, n_tasks) or not np.allclose(covariance, covariance.T):
        raise ValueError(f"covariance must be a symmetric ({n_tasks}, {n_tasks}) matrix, one row per task.")
    variances, directions = np.linalg.eigh(covariance)
    if variances[0] < -1e-10 * max(variances[-1], 0.0) or variances[-1] < 0:
        raise ValueError(f"covariance has the negative eigenvalue {variances[0]:.3g}.")
    root = directions * np.sqrt(np.maximum(variances, 0.0))
    coef = root @ rng.standard_normal((n_tasks, n_features))
    data = respond(rng, coef, n_samples, noise, correlation, missing, task_type, layout, intercept_scale)
    data.covariance = data.scale**2 * covariance
    return data


def make_temporal(
    n_samples=100,
    n_features=30,
    n_tasks=8,
    n_informative=5,
    *,
    step=0.2,
    noise=None,
    correlation=0.0,
    missing=0.0,
    task_type="regression",
    layout="shared",
    intercept_scale=1.0,
    random_state=None,
):
    """Tasks in an order, such as time points, whose coefficients change slowly.

    ``coef_0 ~ N(0, 1)`` and ``coef_t = coef_{t-1} + step * N(0, 1)`` on a random support of ``n_informative``
    features, the same for all tasks; zero elsewhere.

    Parameters
    ----------
    n_samples : int or list of int
    n_features, n_tasks : int
    n_informative : int
        Size of the support.
    step : float
        Standard deviation of the change from one task to the next.
    noise, correlation, missing, task_type, layout, intercept_scale, random_state
        As described in `mtlreg.datasets`.

    Returns
    -------
    data : Bunch
        Also has ``support`` (n_informative,), sorted.

    References
    ----------
    Zhou, Yuan, Liu and Ye (2011). A multi-task learning formulation for predicting disease progression. KDD.
    """
    rng = check_random_state(random_state)
    _check_sizes(n_features=n_features, n_tasks=n_tasks)
    check_scalar(step, "step", numbers.Real, min_val=0.0)
    support, coef = _draw_rows(rng, n_features, n_tasks, n_informative)
    coef[1:] *= step
    coef = np.cumsum(coef, axis=0)
    data = respond(rng, coef, n_samples, noise, correlation, missing, task_type, layout, intercept_scale)
    data.support = support
    return data


def _check_sizes(**sizes):
    for name, size in sizes.items():
        check_scalar(size, name, numbers.Integral, min_val=1)


def _draw_rows(rng, n_features, n_tasks, n_informative):
    """A support, and standard normal coefficients on it."""
    check_scalar(n_informative, "n_informative", numbers.Integral, min_val=1, max_val=n_features)
    support = np.sort(rng.permutation(n_features)[:n_informative])
    coef = np.zeros((n_tasks, n_features))
    coef[:, support] = rng.standard_normal((n_tasks, n_informative))
    return support, coef
