"""Cyclic block coordinate descent over rows with Anderson extrapolation, for squared loss and row penalties.

The correlations of the rows with the residual are computed, or kept by a Gram matrix (`mtlreg.solvers.gram`).
Of a compound penalty a row is that of all parts together.

References
----------
Liu, Palatucci & Zhang (2009), Blockwise coordinate descent procedures for the multi-task lasso, ICML.
Bertrand & Massias (2021), Anderson acceleration of coordinate descent, AISTATS, algorithm 2.
"""

from __future__ import annotations

import numpy as np

from mtlreg.designs import StackedDesign
from mtlreg.kernels import for_array
from mtlreg.solvers import columns, gram, support, task_gram, weighted
from mtlreg.solvers.anderson import Extrapolation

__all__ = ["batches", "coordinate_descent", "handles", "has_sweeps"]

SWEEPS = 5  # between extrapolations
CHECK_EVERY = 2  # extrapolations between certificates


def handles(problem):
    """Whether the method applies: squared loss and `has_sweeps`."""
    return problem.losses.quadratic and problem.separable and has_sweeps(problem)


def has_sweeps(problem):
    """Whether there are row sweeps for the problem's penalty, array type and layout."""
    design = problem.design
    one_column = not isinstance(design, StackedDesign) or design.n_columns == len(design.widths)
    return bool(problem.penalty.row_kernels()) and one_column and hasattr(for_array(problem.zero), "sweep_rows")


def coordinate_descent(problem, state, *, max_iter, tolerance):
    """Yield states of block coordinate descent; ``state.n_iter`` counts sweeps."""
    yield state
    for batch, (W, change) in enumerate(batches(problem, state.x, lambda: state.Z), start=1):
        n_iter = batch * SWEEPS
        if batch % CHECK_EVERY == 0 or change == 0 or n_iter >= max_iter:
            state.x, state.n_iter, state.stalled = W, n_iter, change == 0
            yield state


def batches(problem, W, free_coefficients):
    """Yield ``(W, largest change)`` after every `SWEEPS` sweeps and an extrapolation, without end.

    ``free_coefficients()`` is asked for Z before each batch.
    """
    side = loss_side(problem)
    kernels = np.array(problem.penalty.row_kernels(), dtype=np.float64)
    steps = support.SupportSteps(side, kernels)
    residual = before = None
    while True:
        W, Z = np.array(W, order="C"), free_coefficients()
        parts = W.reshape(len(kernels), *problem.design.shape_w)
        if residual is None or Z is not before:
            residual, before = side.residual(W, Z), Z
        iterates = [W.copy()]
        for _ in range(SWEEPS):
            change = side.sweep(residual, parts, kernels)
            iterates.append(W.copy())
        if change > 0:
            W, residual = _ahead(problem, side, steps, iterates, residual, Z)
        yield W, change


def loss_side(problem):
    """How the correlations of the rows are found: kept, block by block, or one at a time."""
    if task_gram.handles(problem):
        return task_gram.columns(problem)
    if weighted.handles(problem):
        return weighted.Weighted(problem)
    if gram.handles(problem):
        return gram.GramBlocks(problem) if gram.pays_in_blocks(problem) else gram.Gram(problem)
    return columns.Blocks(problem) if columns.has_blocks(problem) else columns.Columns(problem)


def _ahead(problem, side, steps, iterates, residual, Z):
    """The best of the last iterate and of what is proposed beyond it, with its residual where known from scratch."""

    def objective(W, state):
        return side.loss(state, W) + problem.penalty.value(W)

    proposals = [steps.proposal(iterates, residual), _extrapolated(problem, side, iterates)]
    reached, best = objective(iterates[-1], residual), (iterates[-1], None)
    for W in proposals:
        if W is not None:
            state = side.residual(W, Z)  # begins a new account of the free directions
            value = objective(W, state)
            if value < reached:
                reached, best = value, (W, state)
    return best


def _extrapolated(problem, side, iterates):
    """Anderson's extrapolation of the iterates, with the signs that the penalty asks for; or None."""
    extrapolation = Extrapolation(SWEEPS)
    for before, after in zip(iterates, iterates[1:], strict=False):
        extrapolation.add(after - before, after)
    candidate = extrapolation.point()
    if candidate is not None:
        parts = candidate.reshape(-1, *problem.design.shape_w)  # a view
        parts[side.positive] = np.maximum(parts[side.positive], 0)
    return candidate
