"""Stages for penalties that are concave in the norms of rows: one convex problem after the other.

The first is the norm itself. Each further one is the penalty's tangent at the last solution, which lies above the
penalty everywhere and touches it there, so that no stage ends above the one before. The duality gap of a point in its
own tangent problem is the stationarity residual. Where a fit is started makes no
difference but to the time the first stage takes.

References
----------
Candes, Wakin & Boyd (2008), Enhancing sparsity by reweighted l1 minimization, J. Fourier Anal. Appl. 14, section 2.
Gong, Ye & Zhang (2012), Multi-stage multi-task feature learning, NIPS, algorithm 1.
"""

from __future__ import annotations

from mtlreg.solvers._base import State, solve

__all__ = ["stages"]

FRACTION = 0.1  # of the present residual, to which a stage is solved


def stages(problem, state, *, max_iter, tolerance, inner="auto"):
    """Yield W = 0, the convex start, and the solution of each stage; ``state.n_iter`` counts those of ``inner``."""
    xp, scale = problem.xp, problem.null.value
    begin, before = State(state.x, state.Z), None
    state.x, state.Z = problem.origin, problem.null.Z
    yield state
    majorant, goal = problem.reweighted(xp.ones(state.x.shape[0], dtype=state.x.dtype)), 0.5 * tolerance
    while majorant.attained:
        solution = solve(
            majorant.problem,
            inner,
            majorant.forward(begin.x, begin.Z),
            tol=goal / scale,
            max_iter=max_iter - state.n_iter,
            warn=False,
            scale=scale,
        )
        state.x, state.Z = majorant.backward(solution.x, solution.Z)
        state.n_iter += max(solution.n_iter, 1)
        yield state
        reached = state.certificate
        # near a stationary point the objective, which is flat there, settles before the residual does
        settled = before and reached.objective >= before.objective and reached.gap >= before.gap
        if reached.gap <= tolerance or settled:
            return
        begin, before, majorant = state, reached, reached.majorant
        goal = max(FRACTION * reached.gap, 0.5 * tolerance)
