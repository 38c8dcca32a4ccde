"""Many strengths at once, for squared loss and l1/lq rows: accelerated proximal gradient steps side by side.

What one strength leaves of a GPU idle others use: with W of shape (p, strengths, T) a gradient is two matrix products
of the rows with all columns. Momentum, restarts and certificates are each strength's own; the step is the same. A row's
norm scales with its row, so that one proximal operator of strength 1 serves all:

    prox_{a Omega}(V) = a prox_Omega(V / a).

Strengths that have reached the tolerance drop out. Nothing is read back between certificates.
"""

from __future__ import annotations

import copy
import warnings

from array_api_compat import is_numpy_array

from mtlreg.designs import SharedDesign
from mtlreg.kernels import for_array
from mtlreg.solvers._base import ADVICE, Solution, check_finite, warn_not_reached
from mtlreg.solvers._choose import reduce
from mtlreg.validation import free_memory, is_sparse, to_host

__all__ = ["handles", "solve_batches"]

CHECK_EVERY = 10
MARGIN = 1.01  # on the estimate of the Lipschitz constant
ARRAYS = 10  # of the size of W, and of the predictors, that a strength takes
ROUNDING = 64  # units in the last place, by which dual points stay inside


def handles(problem, solver, n_alphas):
    """Whether strengths are solved together: on another device, where nothing else would keep it busy."""
    design = problem.design
    elsewhere = not is_sparse(design.X) and not is_numpy_array(design.X)
    several = solver == "auto" and n_alphas > 1
    return several and elsewhere and applies(problem) and not problem.fitted_at_zero and reduce(problem) is problem


def applies(problem):
    """Whether the method does: squared loss on rows that all tasks share, and a norm of rows without a ridge."""
    kernels = problem.penalty.row_kernels() if problem.coupling is None and problem.penalty.convex else None
    plain = kernels is not None and len(kernels) == 1 and not problem.penalty.part_names
    if not plain or type(problem.design) is not SharedDesign:
        return False
    entry, row, _, ridge, _ = kernels[0]
    one_norm = entry == 0 or row == 0
    return problem.losses.quadratic and problem.separable and one_norm and ridge == 0


def solve_batches(problem, grid, *, tol, max_iter, verbose=0):
    """Yield solutions for strengths, in their order, as many at a time as there is memory for.

    Parameters
    ----------
    problem : Problem
    grid : sequence of float
        Strengths > 0.
    tol, max_iter, verbose
        As in `mtlreg.solvers.solve`.
    """
    size, at, start = _affordable(problem, len(grid)), 0, None
    while at < len(grid):
        part = grid[at : at + size]
        try:
            solutions = list(_Batch(problem, part, start, tol).run(max_iter))
        except MemoryError:  # CuPy's is one of these
            if size == 1:
                raise
            size = -(-size // 2)
            warnings.warn(f"Out of memory: going on with {size} strengths at a time.", ResourceWarning, stacklevel=2)
            continue
        for solution in solutions:
            if verbose:
                print(f"[mtlreg] {solution.n_iter} iterations, gap {solution.gap:.3g}")
            if not solution.converged:
                scale = problem.null.value
                reached, wanted = solution.gap / scale, solution.tolerance / scale
                warn_not_reached("duality gap", reached, wanted, solution.n_iter, ADVICE)
        yield from solutions
        at, start = at + size, solutions[-1].x


def _affordable(problem, n_alphas):
    """How many strengths fit into half of the memory that is free."""
    design = problem.design
    entries = (design.n_features + design.n_rows) * design.n_columns
    bytes_each = ARRAYS * entries * (4 if design.dtype == problem.xp.float32 else 8)
    return int(min(max(0.5 * free_memory(design.X) / max(bytes_each, 1), 1), n_alphas))


class _Batch:
    """Strengths that are solved together, the middle axis of coefficients (p, strengths, T) and predictors."""

    def __init__(self, problem, grid, start, tol):
        self.problem, self.xp = problem, problem.xp
        xp, design = self.xp, problem.design
        self.scale, self.Z = problem.null.value, problem.null.Z
        check_finite(self.scale)
        self.relative = max(tol, 50 * float(xp.finfo(design.dtype).eps))
        self.penalty = problem.penalty.with_alpha(1.0)
        entry, _, q, _, self.positive = self.penalty.row_kernels()[0]
        self.q = 1.0 if entry > 0 else q
        self.inverse_curvature = 1 / (MARGIN * max(problem.lipschitz(), float(xp.finfo(design.dtype).smallest_normal)))
        base = problem.y if problem.free is None else problem.y - problem.free.predictor(self.Z)
        self.y, self.weights = base[:, None, :], problem.weights[:, None, :]
        self.grid = list(grid)
        self.where = list(range(len(self.grid)))  # of the strengths that are left
        self.alphas = xp.asarray(self.grid, dtype=design.dtype)
        x = problem.zero if start is None else start
        self.W = xp.asarray(xp.broadcast_to(x[:, None, :], (x.shape[0], len(self.grid), x.shape[1])), copy=True)
        self.eta = self._predictors(self.W)
        self.dual = xp.full((len(self.grid),), -float("inf"), dtype=xp.float64)

    # -- the linear map, of all strengths ------------------------------------------------------------------------

    def _wide(self, count):
        """The design with columns of W for every strength."""
        design, xp = copy.copy(self.problem.design), self.xp
        design.n_columns = count * design.n_columns
        for name in ("centre", "inverse_scale"):
            a = getattr(design, name)
            if a is not None and a.shape[-1] > 1:
                setattr(design, name, xp.concat([a] * count, axis=-1))
        return design

    def _predictors(self, W):
        p, count, T = W.shape
        return self.xp.reshape(self._wide(count).matvec(self.xp.reshape(W, (p, count * T))), (-1, count, T))

    def _gradient(self, u):
        n, count, T = u.shape
        return self.xp.reshape(self._wide(count).rmatvec(self.xp.reshape(u, (n, count * T))), (-1, count, T))

    def _prox(self, V):
        xp, levels = self.xp, (self.alphas * self.inverse_curvature)[None, :, None]
        rows = xp.reshape(V / levels, (-1, V.shape[2]))
        return xp.reshape(self.penalty.prox(rows, 1.0), V.shape) * levels

    # -- steps ---------------------------------------------------------------------------------------------------

    def run(self, max_iter):
        """The solutions, in the order of the strengths."""
        xp, found = self.xp, [None] * len(self.grid)
        previous, eta_previous, momentum = self.W, self.eta, xp.ones_like(self.alphas)
        n_iter = 0
        while self.where:
            if n_iter % CHECK_EVERY == 0 or n_iter >= max_iter:
                keep = self._certify(found, n_iter, n_iter >= max_iter)
                if len(keep) < len(self.where):
                    previous, eta_previous, momentum = self._keep(keep, previous, eta_previous, momentum)
                if not keep:
                    break
            n_iter += 1
            following = 0.5 * (1 + xp.sqrt(1 + 4 * momentum**2))
            beta = ((momentum - 1) / following)[None, :, None]
            ahead, eta_ahead = self.W + beta * (self.W - previous), self.eta + beta * (self.eta - eta_previous)
            G = self._gradient(self.weights * (eta_ahead - self.y))
            previous, eta_previous = self.W, self.eta
            self.W = self._prox(ahead - self.inverse_curvature * G)
            self.eta = self._predictors(self.W)
            uphill = xp.sum((ahead - self.W) * (self.W - previous), axis=(0, 2)) > 0
            momentum = xp.where(uphill, xp.ones_like(following), following)
        return found

    def _keep(self, keep, previous, eta_previous, momentum):
        """Go on with some of the strengths."""
        xp = self.xp
        at = xp.asarray(keep, dtype=xp.int64)
        self.where = [self.where[k] for k in keep]
        self.alphas, self.dual, momentum = (xp.take(a, at) for a in (self.alphas, self.dual, momentum))
        arrays = (self.W, self.eta, previous, eta_previous)
        self.W, self.eta, previous, eta_previous = (xp.take(a, at, axis=1) for a in arrays)
        return previous, eta_previous, momentum

    def _certify(self, found, n_iter, last):
        """Put down the solutions of strengths that have reached the tolerance (or of all); the positions of the rest.

        The dual points are those of `Problem.certify`: residuals, orthogonal to the free directions, scaled.
        """
        xp, problem = self.xp, self.problem
        self.eta = self._predictors(self.W)  # what steps have added up holds their rounding
        residual = self.y - self.eta
        count = len(self.where)
        square = self._sums(self.weights * residual * residual)
        norms = xp.reshape(for_array(self.W).row_norms(self._rows(self.W), self.q), (-1, count))
        primal = 0.5 * square + self._double(self.alphas) * xp.sum(norms, axis=0, dtype=xp.float64)
        V = self._gradient(self.weights * residual)
        lengths = for_array(V).row_violation(self._rows(V), 0.0, 0.0, self.q, self.positive)
        longest = self._double(xp.max(xp.reshape(lengths, (-1, count)), axis=0))
        room = self._double(self.alphas) * (1 - ROUNDING * float(xp.finfo(self.W.dtype).eps))
        scale = xp.where(longest > room, room / xp.where(longest > 0, longest, xp.ones_like(longest)), 1.0)
        dual = scale * self._sums(self.weights * residual * self.y) - 0.5 * scale**2 * square
        self.dual = xp.maximum(self.dual, dual)
        gaps, objectives = (to_host(a).tolist() for a in (primal - self.dual, primal + problem.constant))
        tolerance = self.relative * self.scale
        rest = []
        for k, at in enumerate(self.where):
            gap = max(gaps[k], 0.0)
            if gap <= tolerance or last:
                x = xp.asarray(self.W[:, k, :], copy=True)
                numbers = (gap, gap, objectives[k], tolerance, n_iter, gap <= tolerance)
                found[at] = Solution(x, self.Z, *numbers, [(n_iter, 0.0, objectives[k], gap)])
            else:
                rest.append(k)
        return rest

    def _rows(self, V):
        return self.xp.reshape(V, (-1, V.shape[2]))

    def _double(self, a):
        return self.xp.astype(a, self.xp.float64)

    def _sums(self, a):
        return self.xp.sum(a, axis=(0, 2), dtype=self.xp.float64)
