"""Many strengths at once, and many training parts: accelerated proximal gradient steps side by side.

What one problem leaves of a GPU idle others use: a gradient is two matrix products of the rows with the columns of all.
Momentum, restarts and certificates are each problem's own; the step is the same, and so is the working set of features.
Problems that have reached the tolerance drop out.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from array_api_compat import array_namespace, is_numpy_array

from mtlreg.kernels import for_array
from mtlreg.kernels.generic.steps import take_problems
from mtlreg.solvers._base import ADVICE, Solution, check_finite, levels_above_package, warn_not_reached
from mtlreg.solvers._choose import reduce
from mtlreg.solvers.fista import CHECK_EVERY, Walk
from mtlreg.solvers.side_by_side import SideBySide, applies
from mtlreg.solvers.working_set import FRACTION, SMALLEST, choose_rows
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
    scale: float
    dual: float = 0.0  # no loss is negative
    gap: float = float("inf")
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
            scale = problem.null.value
            places.append(Place(part, alpha, _relative(problem, tol) * scale, scale))
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
    """Set the solutions of some places, which begin where the latest of their part ended.

    By working sets, of the features that matter to any of them.
    """
    xp = problems[0].xp
    x = xp.concat([problems[p.part].zero if latest[p.part] is None else latest[p.part].x for p in places], axis=1)
    check_finite(sum(place.tolerance for place in places))
    Z, n_iter, size, before, moves = None, 0, SMALLEST, None, True
    while True:
        together = _together(problems, places)
        known = together.certificates(x, together.null.Z if Z is None else Z)
        left = _put_down(places, x, known, n_iter, n_iter >= max_iter or not moves)
        if not left:
            return
        at, count = xp.asarray(left, dtype=xp.int64), len(places)
        places = [places[k] for k in left]
        x, Z = (None if a is None else take_problems(a, at, count) for a in (x, known.Z))
        ratios = xp.take(known.ratios, at, axis=1)
        rows, size = choose_rows(xp.any(x != 0, axis=1), xp.max(ratios, axis=1) - 1, size)
        same = before is not None and rows.shape == before.shape and bool(xp.all(rows == before))
        share = 0.1 if same else 0.5
        goals = [
            max(FRACTION * place.gap, share * place.tolerance, _relative(problems[place.part], 0) * place.scale)
            for place in places
        ]
        start, before = x, rows
        x, Z, steps = _on_rows(problems, places, rows, (x, Z), goals, max_iter - n_iter)
        n_iter += steps
        moves = not same or bool(xp.any(x != start))


def _together(problems, places):
    return SideBySide(problems, [place.part for place in places], [place.alpha for place in places])


def _put_down(places, x, known, n_iter, last):
    """Put down the solutions of places that have reached their tolerance (or of all); the positions of the others."""
    width, left = x.shape[1] // len(places), []
    for k, (place, objective) in enumerate(zip(places, _gaps(places, known), strict=True)):
        if place.solution is not None:
            continue
        if place.gap > place.tolerance and not last:
            left.append(k)
            continue
        mine = slice(k * width, (k + 1) * width)
        quality = (place.gap, place.gap, objective, place.tolerance, n_iter, place.gap <= place.tolerance)
        Z = None if known.Z is None else known.Z[:, mine]
        history = [(n_iter, 0.0, objective, place.gap)]
        place.solution = Solution(array_namespace(x).asarray(x[:, mine], copy=True), Z, *quality, history)
    return left


def _gaps(places, known):
    """Set the gaps of places by certificates; their objectives."""
    objectives, duals = (to_host(a).tolist() for a in (known.objectives, known.duals))
    for place, objective, dual in zip(places, objectives, duals, strict=True):
        place.dual = max(place.dual, dual)
        place.gap = max(objective - place.dual, 0.0)
    return objectives


def _on_rows(problems, places, rows, start, goals, max_iter):
    """x and Z of problems solved to some gaps with all other rows held at zero, and the steps it took."""
    xp, p, (x, Z) = problems[0].xp, problems[0].design.n_features, start
    if rows.shape[0] < p:
        problems, x = _restricted(problems, rows), xp.take(x, rows, axis=0)
    goals = [Place(place.part, place.alpha, goal, place.scale) for place, goal in zip(places, goals, strict=True)]
    lipschitz = MARGIN * max(problem.known("lipschitz", problem.lipschitz) for problem in problems)
    still_open, together, n_iter = goals, _together(problems, goals), 0
    walk = Walk(together, x, Z, len(goals), lipschitz)
    while True:
        before, count = walk.x, min(CHECK_EVERY, max_iter - n_iter)
        walk.advance(count)
        n_iter += count
        stuck = walk.x is not before and not bool(xp.any(walk.x != before))
        known = together.certificates(walk.x, walk.free.Z)
        left = _put_down(still_open, walk.x, known, n_iter, stuck or n_iter >= max_iter)
        if not left:
            break
        walk.free.move_to(known.Z)
        if len(left) < CROWDED * len(still_open):
            still_open = [still_open[k] for k in left]
            together = _together(problems, still_open)
            walk.keep(left, together)
    if rows.shape[0] == p:  # dual points of these are dual points of those
        for place, goal in zip(places, goals, strict=True):
            place.dual = max(place.dual, goal.dual)
    x = xp.concat([goal.solution.x for goal in goals], axis=1)
    Z = None if Z is None else xp.concat([goal.solution.Z for goal in goals], axis=1)
    return (x if rows.shape[0] == p else for_array(x).spread_rows(x, rows, p)), Z, n_iter


def _restricted(problems, rows):
    """The problems of some features, on one X."""
    problems = [problem.restrict(rows) for problem in problems]
    for problem in problems[1:]:
        problem.design.X = problems[0].design.X
    return problems
