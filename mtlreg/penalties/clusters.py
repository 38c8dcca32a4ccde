"""Penalties on the singular values of W that relax a clustering of tasks, given how many clusters there are."""

from __future__ import annotations

import numbers
from dataclasses import dataclass

from array_api_compat import array_namespace

from mtlreg.kernels import for_array
from mtlreg.penalties._base import check_number
from mtlreg.penalties.spectral import SquaredNorm, total

__all__ = ["ClusterNorm", "SpectralBoxNorm"]


class ClusteringPenalty(SquaredNorm):
    """What the penalties with clusters share: the number of these, and that there are columns for them.

    Without their ridge part they are a minimum of ``tr(W S W') / 2`` over matrices S.
    """

    n_clusters: int

    def majorant(self, W):
        """Eigenvalues and eigenvectors of the best S for W, of at least two columns."""
        raise NotImplementedError

    def bind(self, columns):
        if 1 < len(columns) < self.n_clusters:  # of one task there is nothing to cluster
            raise ValueError(
                f"{type(self).__name__}(n_clusters={self.n_clusters}): the coefficients have {len(columns)} columns "
                f"(one a task, or one a class of a task); give n_clusters <= {len(columns)}."
            )
        return self

    def check(self):
        super().check()
        n, name = self.n_clusters, type(self).__name__
        if isinstance(n, bool) or not isinstance(n, numbers.Integral):
            raise TypeError(f"{name}(n_clusters={n!r}): n_clusters must be an integer, got {type(n).__name__}.")
        if n < 1:
            raise ValueError(f"{name}(n_clusters={n!r}): n_clusters must be at least 1.")


@dataclass(eq=False, repr=False)
class SpectralBoxNorm(ClusteringPenalty):
    """``Omega(W) = alpha h (1 + h) min_m sum_i sigma_i(W)^2 / (h + m_i) + (alpha_ridge / 2) |W|_F^2``.

    sigma are the singular values, h is ``shape``, and ``0 <= m_i <= 1`` with ``sum_i m_i = n_clusters``. This is the
    convex relaxation of the k-means clustering of tasks, and of a subspace of dimension ``n_clusters`` that they
    share: the largest singular values are nearly free at ``alpha h``, the others pay ``alpha (1 + h)``. Large h is a
    ridge. With ``n_clusters`` at least the rank of W it is the ridge ``alpha h |W|_F^2``.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    n_clusters : int, default=2
        From 1 to the number of columns of W (of tasks, unless a task has several classes).
    shape : float, default=0.1
        h, > 0: what the leading singular values cost, over how much more the others cost.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute, not a ratio.

    Raises
    ------
    ValueError
        From a fit with fewer columns than clusters.

    References
    ----------
    McDonald, Pontil & Stamos (2016), New perspectives on k-support and cluster norms, JMLR 17 (the norm whose square
    this is); Zhou, Chen & Ye (2011), Clustered multi-task learning via alternating structure optimization, NIPS;
    Chen, Tang, Liu & Ye (2009), A convex formulation for learning shared structures from multiple tasks, ICML.
    """

    alpha: float = 1.0
    n_clusters: int = 2
    shape: float = 0.1
    alpha_ridge: float = 0.0

    @property
    def _factor(self):
        return float(self.alpha) * float(self.shape) * (1 + float(self.shape))

    def norm_value(self, W):
        kernels, h = for_array(W), float(self.shape)
        s = kernels.singular_values(W)
        return self._factor * total(s**2 / (h + kernels.box_weights(s, self.n_clusters, h)))

    def norm_prox(self, W, step):
        kernels, h = for_array(W), float(self.shape)
        U, s, Vh = kernels.thin_svd(W)
        # with the best sigma put in, it is sum_i s_i^2 / (h + weight + m_i) that m minimises
        weight = 2 * step * self._factor
        spread = h + kernels.box_weights(s, self.n_clusters, h + weight)
        return (U * (s * (spread / (spread + weight)))) @ Vh

    def majorant(self, W):
        xp, h = array_namespace(W), float(self.shape)
        squares, vectors = xp.linalg.eigh(xp.permute_dims(W, (1, 0)) @ W)
        s = xp.sqrt(xp.maximum(xp.flip(squares), 0.0))
        return 2 * self._factor / (h + for_array(s).box_weights(s, self.n_clusters, h)), xp.flip(vectors, axis=1)

    def _conjugate(self, V):
        squares = for_array(V).squared_singular_values(V)
        leading = squares[: min(self.n_clusters, squares.shape[0])]
        return (float(self.shape) * total(squares) + total(leading)) / (4 * self._factor)

    def _curvatures(self):
        return 2 * float(self.shape), 2 * (1 + float(self.shape))

    def check(self):
        super().check()
        check_number(self, "shape", low=0.0, low_open=True, finite=True)


@dataclass(eq=False, repr=False)
class ClusterNorm(ClusteringPenalty):
    """``Omega(W) = alpha (eps_mean |W U|_F^2 + min_M tr(W P S(M) P W')) + (alpha_ridge / 2) |W|_F^2``.

    U = 11'/T takes every task to the tasks' mean, P = I - U to its difference from it. ``S(M)`` is ``eps_between`` on
    the differences between the clusters' centres and ``eps_within`` inside the clusters, relaxed from assignments M of
    tasks to clusters: ``S = (I / eps_within + (1 / eps_between - 1 / eps_within) M)^-1`` with ``0 <= M <= I`` and
    ``tr M = n_clusters - 1``. The second part is a `SpectralBoxNorm` of ``W P``.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    n_clusters : int, default=2
        From 1 (no clusters, all tasks near their mean) to the number of columns of W.
    eps_mean : float, default=0.01
        What the tasks' mean costs, > 0.
    eps_between : float, default=0.1
        What differences between clusters cost, > 0.
    eps_within : float, default=1.0
        What differences inside a cluster cost, > ``eps_between``.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute, not a ratio.

    Raises
    ------
    ValueError
        From a fit with fewer columns than clusters.

    References
    ----------
    Jacob, Bach & Vert (2009), Clustered multi-task learning: a convex formulation, NIPS 21.
    """

    alpha: float = 1.0
    n_clusters: int = 2
    eps_mean: float = 0.01
    eps_between: float = 0.1
    eps_within: float = 1.0
    alpha_ridge: float = 0.0

    def _parts(self, W):
        """The box norm, the weight of the mean's squares, the mean (p, 1) and W without it."""
        difference = float(self.eps_within) - float(self.eps_between)
        box = SpectralBoxNorm(self.alpha * difference, self.n_clusters - 1, self.eps_between / difference)
        mean = array_namespace(W).mean(W, axis=1, keepdims=True)
        return box, float(self.alpha) * float(self.eps_mean), mean, W - mean

    def norm_value(self, W):
        box, weight, mean, centred = self._parts(W)
        return weight * W.shape[1] * total(mean**2) + box.norm_value(centred)

    def norm_prox(self, W, step):
        # U and P are orthogonal projections that add up to I, and the box norm's prox stays in the range of P
        box, weight, mean, centred = self._parts(W)
        return mean / (1 + 2 * step * weight) + box.norm_prox(centred, step)

    def majorant(self, W):
        xp = array_namespace(W)
        box, weight, *_ = self._parts(W)
        size = W.shape[1]
        # the reflection that takes the first axis to the mean's direction takes the others to the differences
        normal = xp.full((size, 1), -1 / size**0.5, dtype=W.dtype) + xp.eye(size, 1, dtype=W.dtype)
        basis = xp.eye(size, dtype=W.dtype) - normal @ xp.permute_dims(normal, (1, 0)) / (1 - 1 / size**0.5)
        prices, vectors = box.majorant(W @ basis[:, 1:])
        prices = xp.concat([xp.full((1,), 2 * weight, dtype=W.dtype), prices])
        return prices, xp.concat([basis[:, :1], basis[:, 1:] @ vectors], axis=1)

    def _conjugate(self, V):
        box, weight, mean, centred = self._parts(V)
        return V.shape[1] * total(mean**2) / (4 * weight) + box.norm_conjugate(centred)

    def _curvatures(self):
        prices = [2 * float(eps) for eps in (self.eps_mean, self.eps_between, self.eps_within)]
        return min(prices), max(prices)

    def check(self):
        super().check()
        for name in ("eps_mean", "eps_between", "eps_within"):
            check_number(self, name, low=0.0, low_open=True, finite=True)
        if self.eps_within <= self.eps_between:
            raise ValueError(
                f"ClusterNorm(eps_between={self.eps_between!r}, eps_within={self.eps_within!r}): differences inside a "
                "cluster must cost more than those between clusters; give eps_within > eps_between."
            )
