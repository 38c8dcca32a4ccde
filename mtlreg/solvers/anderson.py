"""Anderson's extrapolation of a fixed-point iteration from its last steps.

References
----------
Walker & Ni (2011), Anderson acceleration for fixed-point iterations, SIAM J. Numer. Anal. 49, equation 2.1.
"""

from __future__ import annotations

import numpy as np

__all__ = ["Extrapolation"]

DAMPING = 1e-10  # of the sum of squares of the steps' differences


class Extrapolation:
    """The combination of the points after the last steps, with weights that sum to 1, whose steps cancel best.

    Differences from step to step are kept, and their products, so that one more costs two passes over them.

    Parameters
    ----------
    memory : int
        Number of steps that are combined.
    """

    def __init__(self, memory):
        self.memory = memory
        self.clear()

    def clear(self):
        """Forget all steps."""
        self.count = 0  # of differences
        self.last = None

    def add(self, step, point):
        """Keep a step and the point to which it led."""
        if self.last is None:
            self.moves, self.points = np.empty((2, self.memory - 1, step.size))
            self.products = np.empty((self.memory - 1, self.memory - 1))
        else:
            at = self.count % (self.memory - 1)
            self.count += 1
            before, led = self.last
            self.moves[at], self.points[at] = (step - before).ravel(), (point - led).ravel()
            known = min(self.count, self.memory - 1)
            self.products[at, :known] = self.products[:known, at] = self.moves[:known] @ self.moves[at]
        self.last = step, point

    def point(self):
        """The combination, or None if there is none: a single step, steps that do not change, an overflow."""
        known = min(self.count, self.memory - 1)
        products = self.products[:known, :known].copy()
        scale = float(np.trace(products))
        if not 0 < scale < np.inf:
            return None
        products.flat[:: known + 1] += DAMPING * scale
        step, point = self.last
        shares = np.linalg.solve(products, self.moves[:known] @ step.ravel())
        if not np.isfinite(shares).all():
            return None
        return (point - (shares @ self.points[:known]).reshape(point.shape)).astype(point.dtype, copy=False)
