"""Quadratic couplings of the tasks: a common mean, a graph, neighbours in time; alone or beside a norm."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from mtlreg.penalties._base import Penalty, check_convex, check_number
from mtlreg.penalties._columns import column_chains, column_groups
from mtlreg.penalties._structure import plain_columns, read_graph
from mtlreg.penalties.rows import L1

__all__ = ["Coupled", "Graph", "MeanRegularized", "TemporalSmooth"]

SPREAD = 10.0  # how far a grid of strengths reaches beyond the eigenvalues of the loss's Hessian
ROUNDING = 64  # units in the last place


class QuadraticPenalty(Penalty):
    """``Omega(W) = (alpha / 2) tr(W L W') + (alpha_ridge / 2) |W|_F^2`` with L positive semidefinite.

    Subclasses give L as ``_laplacian(columns)``, in float64. Its eigenvectors are found once, when the penalty is bound
    to the columns of W.
    """

    alpha_ridge: float
    keyed_by_task = True
    _eigen: tuple | None = None

    def _laplacian(self, columns):
        """L for a list of (task, class) pairs; for an unbound penalty the tasks are 0, 1, ..."""
        raise NotImplementedError

    def bind(self, columns):
        other = copy.copy(self)
        other._eigen = _eigenvectors(self._laplacian(columns))
        return other

    def _spectrum(self, n_columns):
        """Eigenvalues of M = alpha L + alpha_ridge I and its eigenvectors."""
        bound = self._eigen is not None and len(self._eigen[0]) == n_columns
        values, vectors = self._eigen if bound else self.bind(plain_columns(n_columns))._eigen
        return self.alpha * values + self.alpha_ridge, vectors

    def _rotated(self, W):
        """Eigenvalues of M, and W in the basis of its eigenvectors, both as arrays like W."""
        xp = array_namespace(W)
        values, vectors = (xp.asarray(a, dtype=W.dtype) for a in self._spectrum(W.shape[1]))
        return values, vectors, W @ vectors

    def value(self, W):
        values, _, rotated = self._rotated(W)
        xp = array_namespace(W)
        return 0.5 * float(xp.sum(values * rotated**2, dtype=xp.float64))

    def prox(self, W, step):
        values, vectors, rotated = self._rotated(W)
        return (rotated / (1 + step * values)) @ array_namespace(W).permute_dims(vectors, (1, 0))

    def conjugate(self, V):
        values, _, rotated = self._rotated(V)
        xp = array_namespace(V)
        penalised = values > 0
        safe = xp.where(penalised, values, xp.ones_like(values))
        outside = xp.where(penalised, xp.zeros_like(rotated), xp.abs(rotated))
        if bool(xp.any(outside > ROUNDING * xp.finfo(V.dtype).eps * xp.max(xp.abs(V)))):
            return float("inf")
        inside = xp.where(penalised, rotated**2 / safe, xp.zeros_like(rotated))
        return 0.5 * float(xp.sum(inside, dtype=xp.float64))

    def feasible_scale(self, V):
        return 0.0 if self.conjugate(V) == float("inf") else 1.0

    def alpha_range(self, problem, eps):
        # alpha * eigenvalue of L against those of the loss's Hessian: at the top the coupling decides in every
        # direction that it touches, at the bottom in none whose curvature is above eps times the largest
        values = self.with_alpha(1.0)._spectrum(problem.design.n_columns)[0] - self.alpha_ridge
        values = values[values > 0]
        if not values.size:
            return eps, 1.0
        curvature = problem.lipschitz()
        return eps * curvature / (SPREAD * float(values.max())), SPREAD * curvature / float(values.min())

    def quadratic(self, n_columns):
        values, vectors = self._spectrum(n_columns)
        return (vectors * values) @ vectors.T

    def null_columns(self, n_columns):
        values, vectors = self._spectrum(n_columns)
        free = vectors[:, values <= 0]
        return free if free.shape[1] else None

    @property
    def null(self):
        return self.alpha == 0 and self.alpha_ridge == 0

    def check(self):
        super().check()
        check_number(self, "alpha_ridge", low=0.0, finite=True)


def laplacian(edges, weights, n_columns):
    """``sum_e |r_e| (e_s - sign(r_e) e_t)(e_s - sign(r_e) e_t)'`` over edges (m, 2) of weights r (m,)."""
    L = np.zeros((n_columns, n_columns))
    for (s, t), r in zip(edges, weights, strict=True):
        L[s, s] += abs(r)
        L[t, t] += abs(r)
        L[s, t] -= r
        L[t, s] -= r
    return L


def _eigenvectors(L):
    """Eigenvalues, with those that are rounding put to zero, and eigenvectors."""
    values, vectors = np.linalg.eigh(L)
    values[values < len(values) * ROUNDING * np.finfo(float).eps * max(values[-1], 0.0)] = 0.0
    return values, vectors


@dataclass(eq=False, repr=False)
class MeanRegularized(QuadraticPenalty):
    """``Omega(W) = (alpha / 2) sum_t |w_t - mean(w)|_2^2 + (alpha_ridge / 2) |W|_F^2``.

    Tasks are drawn to their mean, which is found along with them: at alpha = 0 a ridge for each task, for large alpha
    one model with a free intercept for each task. Columns of tasks with more than two classes have a mean for each
    class.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute. At 0 the mean is not penalised.

    References
    ----------
    Evgeniou & Pontil (2004), Regularized multi-task learning, KDD, with the mean minimised out.
    """

    alpha: float = 1.0
    alpha_ridge: float = 0.0

    def _laplacian(self, columns):
        L = np.eye(len(columns))
        for group in column_groups(columns):
            L[np.ix_(group, group)] -= 1 / len(group)
        return L


@dataclass(eq=False, repr=False)
class Graph(QuadraticPenalty):
    """``Omega(W) = (alpha / 2) sum_{s-t} |r_st| |w_s - sgn(r_st) w_t|^2 + (alpha_ridge / 2) |W|_F^2 + alpha_l1 |W|_1``.

    The sum runs over the edges of a graph of tasks, each once. A negative weight draws a task to the negative of the
    other. No edge is ridge; the complete graph of weight 1 / n_tasks is `MeanRegularized`.

    Parameters
    ----------
    graph : list of (task, task, weight), dict, data frame, array or sparse matrix (n_tasks, n_tasks), default=None
        Edges between tasks, by their labels; those of tasks without data are left out, with a warning. An array has
        the order of ``tasks_``. None: all tasks are joined, with weight 1 / n_tasks.
    alpha : float, default=1.0
        Strength, >= 0.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute. At 0 what all tasks of a connected component share is not penalised.
    alpha_l1 : float, default=0.0
        Strength of an l1 norm of the entries, >= 0; absolute.

    References
    ----------
    Evgeniou, Micchelli & Pontil (2005), Learning multiple tasks with kernel methods, JMLR 6, section 3.1; with signed
    edges and the l1 norm in Zhou, Chen & Ye (2012), MALSAR: multi-task learning via structural regularization, manual.
    """

    graph: Any = None
    alpha: float = 1.0
    alpha_ridge: float = 0.0
    alpha_l1: float = 0.0

    def _laplacian(self, columns):
        if self.graph is None:
            return MeanRegularized()._laplacian(columns)
        return laplacian(*read_graph(self.graph, columns), len(columns))

    # with an l1 norm it is one of the sums whose proximal operators do not compose

    def value(self, W):
        return super().value(W) + L1(self.alpha_l1).value(W)

    def quadratic(self, n_columns):
        return None if self.alpha_l1 else super().quadratic(n_columns)

    def smooth_coupling(self, n_columns):
        return super().quadratic(n_columns) if self.alpha_l1 else None

    @property
    def proximable(self):
        return L1(self.alpha_l1) if self.alpha_l1 else self

    def prox(self, W, step):
        self._need_no_l1("proximal operator")
        return super().prox(W, step)

    def conjugate(self, V):
        self._need_no_l1("conjugate")
        return super().conjugate(V)

    def _need_no_l1(self, what):
        if self.alpha_l1:
            raise NotImplementedError(f"The {what} of {self!r} has no closed form: that of its parts has.")

    def null_columns(self, n_columns):
        return None if self.alpha_l1 else super().null_columns(n_columns)

    @property
    def null(self):
        return super().null and self.alpha_l1 == 0

    def check(self):
        super().check()
        check_number(self, "alpha_l1", low=0.0, finite=True)


@dataclass(eq=False, repr=False)
class TemporalSmooth(QuadraticPenalty):
    """``Omega(W) = (alpha / 2) sum_t |w_{t+1} - w_t|_2^2 + (alpha_ridge / 2) |W|_F^2``.

    Tasks with an order, such as visits in time, change slowly.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    order : list, default=None
        Labels of the tasks in their order; those of tasks without data are left out. None: the order of ``tasks_``,
        which are the columns of a 2-D y, or the sorted labels of a task column. Names have no order: three or more
        tasks of which one is named by a string, be it "2020-01", are an error then.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute. At 0 what all tasks share is not penalised.

    References
    ----------
    Zhou, Yuan, Liu & Ye (2011), A multi-task learning formulation for predicting disease progression, KDD.
    """

    alpha: float = 1.0
    order: list | None = None
    alpha_ridge: float = 0.0

    def _laplacian(self, columns):
        edges = [pair for chain in column_chains(columns, self.order) for pair in pairwise(chain)]
        return laplacian(np.array(edges, dtype=int).reshape(-1, 2), np.ones(len(edges)), len(columns))


@dataclass(eq=False, repr=False)
class Coupled(Penalty):
    """``Omega(W) = alpha penalty(W) + coupling(W)``: a norm and a quadratic coupling of the tasks, on the same W.

    Its proximal operator has no closed form: solvers count the coupling to the smooth part. ``alpha`` multiplies the
    norm's own ``alpha``; the coupling stays absolute. ``Coupled(L21(), TemporalSmooth(10.0))`` is the temporal group
    lasso.

    Parameters
    ----------
    penalty : Penalty
        A penalty with a proximal operator.
    coupling : MeanRegularized, Graph or TemporalSmooth
    alpha : float, default=1.0
        Strength of the norm, > 0.

    References
    ----------
    Zhou, Yuan, Liu & Ye (2011), A multi-task learning formulation for predicting disease progression, KDD.
    """

    penalty: Penalty
    coupling: QuadraticPenalty
    alpha: float = 1.0

    def bind(self, columns):
        other = copy.copy(self)
        other.penalty, other.coupling = self.penalty.bind(columns), self.coupling.bind(columns)
        return other

    @property
    def proximable(self):
        return self.penalty.with_alpha(self.alpha * self.penalty.alpha)

    def smooth_coupling(self, n_columns):
        return self.coupling.quadratic(n_columns)

    def null_columns(self, n_columns):
        free = self.penalty.null_columns(n_columns)
        if free is None:
            return None
        values, vectors = _eigenvectors(free.T @ self.coupling.quadratic(n_columns) @ free)
        return free @ vectors[:, values <= 0] if (values <= 0).any() else None

    @property
    def part_names(self):
        return self.penalty.part_names

    def value(self, W):
        total = array_namespace(W).sum(W, axis=0) if W.ndim == 3 else W
        return self.proximable.value(W) + self.coupling.value(total)

    def alpha_max(self, G):
        return self.penalty.alpha_max(G) / self.penalty.alpha

    def alpha_range(self, problem, eps):
        return tuple(end / self.penalty.alpha for end in self.penalty.alpha_range(problem, eps))

    @property
    def constrained(self):
        return self.penalty.constrained

    def check(self):
        super().check()
        if not isinstance(self.penalty, Penalty) or isinstance(self.penalty, QuadraticPenalty | Coupled):
            raise TypeError(f"Coupled(penalty=...) needs a penalty with a norm, such as L21(), got {self.penalty!r}.")
        if not isinstance(self.coupling, QuadraticPenalty):
            raise TypeError(
                f"Coupled(coupling=...) needs a quadratic coupling, such as MeanRegularized(), got {self.coupling!r}."
            )
        check_convex("Coupled", self.penalty)
        self.penalty.check()
        self.coupling.check()
        if self.coupling.proximable is not self.coupling:
            raise TypeError(
                f"Coupled(coupling=...): {self.coupling!r} is not quadratic; drop its alpha_l1 and give the l1 norm to "
                "the penalty, as in SparseGroup() or Chain([L1(), ...])."
            )
        if self.alpha == 0 or self.penalty.null:
            raise ValueError("Coupled(alpha=0) has no norm: give its coupling alone.")
