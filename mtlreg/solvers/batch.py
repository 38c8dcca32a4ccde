"""Many strengths at once, and many training parts: accelerated proximal gradient steps side by side.

What one problem leaves of a GPU idle others use: a gradient is two matrix products of the rows with the columns of all.
Momentum, restarts and certificates are each problem's own; the step is the same. Problems that have reached the
tolerance drop out.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from array_api_compat import is_numpy_array

from mtlreg.solvers._base import ADVICE, Solution, check_finite, levels_above_package, warn_not_reached
from mtlreg.solvers._choose import reduce
from mtlreg.solvers.fista import CHECK_EVERY, Walk
from mtlreg.solvers.side_by_side import SideBySide, applies
from mtlreg.validation import free_memory, is_sparse, to_host

__all__ = ["handles", "handles_one", "solve_batches"]

ARRAYS = 17  # of the size of W, and of the predictors, that a problem takes
MARGIN = 1.01  # on the estimate of the Lipschitz constant
CROWDED = 0.9  # share of problems not yet solved, above which the others are carried along


def handles(problem, solver, n_alphas):
    """Whether strengths are solved together: on another device, where nothing else would keep it busy."""
    return n_alphas > 1 and handles_one(problem, solver)


def handles_one(problem, solver):
    """Whether a problem is one of those that are solved together."""
    design = problem.design
    elsewhere = not is_sparse(design.X) and not is_numpy_array(design.X)
    possible = solver == "auto" and elsewhere and applies(problem)
    return possible and not problem.fitted_at_zero and reduce(problem) is problem


@dataclass
class Place:
    """One of the problems: which part of the data it has, its strength, and where it stands."""

    part: int
    alpha: float
    tolerance: float
    dual: float = 0.0  # no loss is negative
    solution: Solution | None = None


def solve_batches(problems, grid, *, tol, max_iter, verbose=0):
    """Yield for each strength in turn the list of its solutions, one for each problem.

    As many are solved at a time as there is memory for.

    Parameters
    ----------
    problems : list of Problem
        Each of which `handles_one`, on the same X; they differ in labels and weights.
    grid : sequence of float
        Strengths > 0, decreasing.
    tol, max_iter, verbose
        As in `mtlreg.solvers.solve`.
    """
    places = []
    for alpha in grid:
        for part, problem in enumerate(problems):
            places.append(Place(part, alpha, _relative(problem, tol) * problem.null.value))
    size, at, solved = _affordable(problems[0], len(places)), 0, 0
    latest = [None] * len(problems)
    while at < len(places):
        some = places[at : at + size]
        try:
            _solve_together(problems, some, latest, max_iter)
        except MemoryError:  # CuPy's is one of these
            if size == 1:
                raise
            size = -(-size // 2)
            text = f"Out of memory: going on with {size} problems at a time."
            warnings.warn(text, stacklevel=levels_above_package())
            continue
        for place in some:
            latest[place.part] = place.solution
            _report(place, problems[place.part].null.value, verbose)
        at += len(some)
        while (solved + 1) * len(problems) <= at:
            done = places[solved * len(problems) : (solved + 1) * len(problems)]
            yield [place.solution for place in done]
            for place in done:
                place.solution = None  # room for others
            solved += 1


def _relative(problem, tol):
    return max(tol, 50 * float(problem.xp.finfo(problem.design.dtype).eps))


def _report(place, scale, verbose):
    solution = place.solution
    if verbose:
        print(f"[mtlreg] {solution.n_iter} iterations, gap {solution.gap:.3g}")
    if not solution.converged:
        reached, wanted = solution.gap / scale, solution.tolerance / scale
        warn_not_reached("duality gap", reached, wanted, solution.n_iter, ADVICE)


def _affordable(problem, n_problems):
    """How many problems fit into half of the memory that is free."""
    design = problem.design
    entries = (design.n_features + design.n_rows) * design.n_columns
    bytes_each = ARRAYS * entries * (4 if design.dtype == problem.xp.float32 else 8)
    return int(min(max(0.5 * free_memory(design.X) / max(bytes_each, 1), 1), n_problems))


def _solve_together(problems, places, latest, max_iter):
    """Set the solutions of some places, which begin where the latest of their part ended."""
    xp = problems[0].xp
    x = xp.concat([problems[p.part].zero if latest[p.part] is None else latest[p.part].x for p in places], axis=1)
    lipschitz = MARGIN * max(problem.known("lipschitz", problem.lipschitz) for problem in problems)
    check_finite(sum(place.tolerance for place in places))
    together = _together(problems, places)
    walk, n_iter, open_places = Walk(together, x, together.null.Z, len(places), lipschitz), 0, places
    before = None
    while True:
        still = before is not None and walk.x is not before and not bool(xp.any(walk.x != before))
        walk.free.move_to(_certify(together, walk, open_places, n_iter, still or n_iter >= max_iter))
        left = [k for k, place in enumerate(open_places) if place.solution is None]
        if not left:
            return
        if len(left) < CROWDED * len(open_places):
            open_places = [open_places[k] for k in left]
            together = _together(problems, open_places)
            walk.keep(left, together)
        before, count = walk.x, min(CHECK_EVERY, max_iter - n_iter)
        walk.advance(count)
        n_iter += count


def _together(problems, places):
    return SideBySide(problems, [place.part for place in places], [place.alpha for place in places])


def _certify(together, walk, places, n_iter, last):
    """Put down the solutions of places that have reached their tolerance (or of all); the free coefficients."""
    xp, width = together.xp, walk.x.shape[1] // len(places)
    objectives, duals, Z = together.certificates(walk.x, walk.free.Z)
    numbers = (to_host(a).tolist() for a in (objectives, duals))
    for k, (place, objective, dual) in enumerate(zip(places, *numbers, strict=True)):
        if place.solution is not None:
            continue
        place.dual = max(place.dual, dual)
        gap = max(objective - place.dual, 0.0)
        if gap <= place.tolerance or last:
            columns = slice(k * width, (k + 1) * width)
            x = xp.asarray(walk.x[:, columns], copy=True)
            quality = (gap, gap, objective, place.tolerance, n_iter, gap <= place.tolerance)
            place.solution = Solution(
                x, None if Z is None else Z[:, columns], *quality, [(n_iter, 0.0, objective, gap)]
            )
    return Z
