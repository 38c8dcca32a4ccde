"""The public check of penalties finds what is broken."""

import numpy as np
import pytest

from mtlreg.penalties import L1, L21, BlockLog, BlockMCP, BlockSCAD
from mtlreg.testing import check_penalty


class WrongProx(L21):
    def norm_prox(self, W, step):
        return 0.999 * super().norm_prox(W, step)


class WrongStep(L21):
    def norm_prox(self, W, step):
        return super().norm_prox(W, step * 1.01)


class InPlace(L1):
    def prox(self, W, step):
        W *= np.abs(W) > step * self.alpha
        return W


class LargeScale(L21):
    def norm_feasible_scale(self, V):
        return min(1.0, 1.001 * super().norm_feasible_scale(V))


class SmallScale(L21):
    def norm_feasible_scale(self, V):
        return 0.999 * super().norm_feasible_scale(V)


class HighAlphaMax(L21):
    def alpha_max(self, G):
        return 1.001 * super().alpha_max(G)


class LowAlphaMax(L21):
    def alpha_max(self, G):
        return 0.999 * super().alpha_max(G)


class LowConjugate(L21):
    def conjugate(self, V):
        return 0.5 * super().conjugate(V)


class WrongSlope(BlockMCP):
    def _slope(self, g):
        return 0.999 * super()._slope(g)


class BelowItsTangent(BlockMCP):
    def _phi(self, g):
        return g + 0.1 * g**2

    def _slope(self, g):
        return 1 + 0.2 * g


class OtherStart(BlockLog):
    def _phi(self, g):
        return 2 * super()._phi(g)

    def _slope(self, g):
        return 2 * super()._slope(g)


class WrongAlphaMax(BlockSCAD):
    def alpha_max(self, G):
        return 1.01 * super().alpha_max(G)


class Negative(L21):
    def norm_value(self, W):
        return super().norm_value(W) - 1.0


class NotConvex(L21):
    def norm_value(self, W):
        return super().norm_value(W) ** 0.5


class Array(L21):
    def norm_value(self, W):
        return np.asarray(super().norm_value(W))


class NoSlack(L21):
    def row_violations(self, V):
        return np.maximum(super().row_violations(V) - 0.01, 0)


class WrongKernel(L21):
    def row_kernels(self):
        return ((0.0, 2 * float(self.alpha), 2.0, float(self.alpha_ridge), False),)


class Single(L1):
    def norm_prox(self, W, step):
        return super().norm_prox(W.astype(np.float64), step)


class Changes(L21):
    def with_alpha(self, alpha):
        return self.set_params(alpha=alpha)


class Unchecked(L21):
    def check(self):
        pass


class NumPyOnly(L21):
    def norm_prox(self, W, step):
        return super().norm_prox(np.asarray(W), step)


BROKEN = [
    (WrongProx, "is not the minimum"),
    (WrongStep, "is not the minimum"),
    (InPlace, "written to"),
    (LargeScale, "is below <V, W>"),
    (SmallScale, "feasible_scale"),
    (HighAlphaMax, "too large"),
    (LowAlphaMax, "too small"),
    (LowConjugate, "conjugate"),
    (Negative, r"value\(0\)"),
    (NotConvex, "not convex"),
    (Array, "not a float"),
    (NoSlack, "row_violations"),
    (WrongKernel, "row_kernels"),
    (Single, "float64 for float32"),
    (Changes, "with_alpha changes"),
    (Unchecked, "check accepts"),
    (NumPyOnly, "array_api_strict"),
]


@pytest.mark.parametrize(("cls", "message"), BROKEN, ids=[cls.__name__ for cls, _ in BROKEN])
def test_check_penalty_finds_what_is_broken(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_penalty(cls(alpha=0.4, alpha_ridge=0.3 if cls is LowConjugate else 0.0))


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (WrongSlope, "slope of row|above its majorant"),
        (BelowItsTangent, "not concave|above its majorant"),
        (OtherStart, "not 1 or inf"),
        (WrongAlphaMax, "not exact"),
    ],
)
def test_check_penalty_finds_what_is_broken_in_concave_ones(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_penalty(cls(alpha=0.4))
