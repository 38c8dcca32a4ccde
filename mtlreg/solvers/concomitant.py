"""Alternation of noise levels and coefficients, for calibrated problems: the squared loss at given noise levels, solved
by any other solver, then the levels of its residuals, extrapolated.

The levels' logarithms converge linearly, slowly where the penalty rather than the noise makes the residual. Anderson's
extrapolation mends that; a step which does not lower the objective is taken back, and a plain one, which always does,
follows.

References
----------
Sun & Zhang (2012), Scaled sparse linear regression, Biometrika 99, algorithm 1.
Walker & Ni (2011), Anderson acceleration for fixed-point iterations, SIAM J. Numer. Anal. 49, eq. 2.2.
"""

from __future__ import annotations

import math

from array_api_compat import array_namespace

from mtlreg.solvers._base import State, solve

__all__ = ["Extrapolation", "concomitant"]

MEMORY = 6  # steps an extrapolation looks back on
FRACTION = 0.1  # of the present gap, to which an inner problem is solved
SLOW = 0.3  # of a gap, above which the next inner problem is solved more exactly by this factor


def concomitant(problem, state, *, max_iter, tolerance, inner):
    """Yield states after each inner problem; ``state.n_iter`` counts the iterations of the ``inner`` solver, a function."""
    scale, fraction = problem.null.value, FRACTION
    least = 50 * float(problem.xp.finfo(problem.design.dtype).eps)  # what `solve` can be asked for
    yield state
    best, gap = State(state.x, state.Z, 0, state.certificate), state.certificate.gap
    steps = Extrapolation(problem.floor, scale)
    sigma = problem.noise_at(best.x, best.Z)
    while state.n_iter < max_iter:
        goal, plain = max(fraction * gap / scale, least), not steps.extrapolated
        solution = solve(
            problem.at(sigma),
            inner,
            State(best.x, best.Z),
            tol=goal,
            max_iter=max_iter - state.n_iter,
            warn=False,
            scale=scale,
        )
        state.x, state.Z = solution.x, solution.Z
        state.n_iter += max(solution.n_iter, 1)
        yield state
        if state.certificate.gap > SLOW * gap:
            fraction *= SLOW
        gap = min(gap, state.certificate.gap)
        if _better(state.certificate, best.certificate):
            best = State(state.x, state.Z, 0, state.certificate)
            sigma = steps.following(sigma, problem.noise_at(best.x, best.Z))
            continue
        if plain and (goal == least or not solution.converged):
            return  # rounding leaves nothing to gain
        steps.clear()
        sigma = problem.noise_at(best.x, best.Z)


def _better(new, old):
    """Whether the objective is lower, or where that drowns in rounding the dual value higher."""
    rounding = 8 * 2.0**-52 * abs(old.objective)
    own = new.objective - new.dual < old.objective - old.dual
    return new.objective < old.objective - rounding or new.objective <= old.objective + rounding and own


class Extrapolation:
    """Anderson's extrapolation of ``sigma -> image`` in logarithms, kept between ``floor`` (n_tasks,) and ``top``."""

    def __init__(self, floor, top):
        self.floor, self.top = floor, top
        self.clear()

    def clear(self):
        """Forget all steps."""
        self.images, self.residuals = [], []

    @property
    def extrapolated(self):
        """Whether the last sigma that was given is more than an image."""
        return len(self.images) > 1

    def following(self, sigma, image):
        """The next sigma."""
        xp = array_namespace(sigma)
        self.images = [*self.images, xp.log(image)][-MEMORY:]
        self.residuals = [*self.residuals, xp.log(image) - xp.log(sigma)][-MEMORY:]
        if not self.extrapolated:
            return image
        F, G = xp.stack(self.residuals, axis=1), xp.stack(self.images, axis=1)
        mix = xp.linalg.pinv(F[:, 1:] - F[:, :-1]) @ F[:, -1]
        following = G[:, -1] - (G[:, 1:] - G[:, :-1]) @ mix
        return xp.maximum(xp.exp(xp.clip(following, max=math.log(self.top))), self.floor)
