"""Penalties made of penalties: best splits (infimal convolution), sums in a chain, and the transpose."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from array_api_compat import array_namespace

from mtlreg.penalties._base import HomogeneousPenalty, Penalty

__all__ = ["Chain", "InfimalConvolution", "Transposed"]


@dataclass(eq=False, repr=False)
class InfimalConvolution(Penalty):
    """``Omega(W) = alpha min { sum_k Omega_k(W_k) : sum_k W_k = W }``, a compound of named parts.

    The conjugate is the sum of the parts' conjugates, and W = 0 is optimal iff it is for every part alone.
    ``alpha`` multiplies the parts' own ``alpha``; their ridges stay absolute.

    Parameters
    ----------
    parts : list of (name, Penalty)
        At least two; the names become the keys of ``components_``.
    alpha : float, default=1.0
        Strength, >= 0.

    References
    ----------
    Jalali, Ravikumar, Sanghavi & Ruan (2010), A dirty model for multi-task learning, NIPS, eq. 2, is the case L1Linf +
    L1.
    """

    parts: list = field(default_factory=list)
    alpha: float = 1.0

    @property
    def part_names(self):
        return tuple(name for name, _ in self.parts)

    def _scaled(self):
        return [part.with_alpha(self.alpha * part.alpha) for _, part in self.parts]

    def value(self, W):
        return sum(part.value(W[k, ...]) for k, part in enumerate(self._scaled()))

    def prox(self, W, step):
        xp = array_namespace(W)
        return xp.stack([part.prox(W[k, ...], step) for k, part in enumerate(self._scaled())])

    def conjugate(self, V):
        return sum(part.conjugate(V) for part in self._scaled())

    def feasible_scale(self, V):
        return min(part.feasible_scale(V) for part in self._scaled())

    def alpha_max(self, G):
        return max(part.alpha_max(G) / part.alpha for _, part in self.parts)

    def check(self):
        super().check()
        if len(self.parts) < 2:
            raise ValueError("InfimalConvolution(parts=...) needs at least two (name, penalty) pairs.")
        if len(set(self.part_names)) < len(self.parts):
            raise ValueError(f"InfimalConvolution: the parts' names {list(self.part_names)} are not distinct.")
        if self.alpha == 0:
            raise ValueError("InfimalConvolution(alpha=0) does not determine the split: give alpha > 0.")
        for name, part in self.parts:
            if not isinstance(part, Penalty):
                raise TypeError(f"InfimalConvolution: part {name!r} is not a Penalty but {type(part).__name__}.")
            if part.part_names:
                raise ValueError(f"InfimalConvolution: part {name!r} is itself a compound; list its parts instead.")
            part.check()
            if part.null or part.alpha == 0:
                raise ValueError(f"InfimalConvolution: part {name!r} has alpha=0 and would take all of W.")


@dataclass(eq=False, repr=False)
class Chain(HomogeneousPenalty):
    """``Omega(W) = alpha sum_k Omega_k(W) + (alpha_ridge / 2) |W|_F^2``, all on the same W.

    Only sums whose proximal operator is the composition of the parts' operators are taken: differences between
    neighbouring tasks, then entries, then row groups. ``alpha`` multiplies the parts' own ``alpha``.

    Parameters
    ----------
    parts : list of Penalty
        In any order; at most one of each kind, without ridges of their own.
    alpha : float, default=1.0
        Strength, >= 0.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0.

    References
    ----------
    Zhou, Liu, Narayan & Ye (2012), Modeling disease progression via fused sparse group lasso, KDD, theorem 1.
    """

    parts: list = field(default_factory=list)
    alpha: float = 1.0
    alpha_ridge: float = 0.0

    def _ordered(self):
        ordered = sorted(self.parts, key=lambda part: part.chain_rank)
        return [part.with_alpha(self.alpha * part.alpha) for part in ordered]

    @property
    def _positive(self):
        return any(getattr(part, "positive", False) for part in self.parts)

    @property
    def null(self):
        return super().null and not self._positive

    def norm_value(self, W):
        return sum(part.norm_value(W) for part in self._ordered())

    def norm_prox(self, W, step):
        for part in self._ordered():
            W = part.norm_prox(W, step)
        return W

    def check(self):
        super().check()
        if not self.parts:
            raise ValueError("Chain(parts=...) needs at least one penalty.")
        for part in self.parts:
            if not isinstance(part, HomogeneousPenalty) or part.chain_rank is None:
                raise TypeError(f"Chain: {part!r} has no place in a chain; see the docstring.")
            part.check()
            if part.alpha_ridge:
                raise ValueError(f"Chain: {part!r} has a ridge of its own; give the Chain's alpha_ridge instead.")
        if all(part.alpha == 0 for part in self.parts):
            raise ValueError("Chain: every part has alpha=0; give alpha=0 to the Chain instead.")
        if self._positive and self.alpha == 0 and self.alpha_ridge == 0:
            raise ValueError("Chain(alpha=0) with positive parts has no certificate: give a small alpha or a ridge.")
        for a, b in pairwise(sorted(self.parts, key=lambda part: part.chain_rank)):
            if a.chain_rank == b.chain_rank:
                raise ValueError(f"Chain: the proximal operators of {a!r} and {b!r} do not compose; give one of them.")
            if getattr(b, "positive", False) != getattr(a, "positive", False):
                raise ValueError(f"Chain: {a!r} and {b!r} differ in positive; set it on both.")


@dataclass(eq=False, repr=False)
class Transposed(Penalty):
    """``Omega(W) = alpha penalty(W')``: what the penalty does to rows, done to columns (tasks).

    ``Transposed(L21())`` switches whole tasks on or off. ``alpha`` multiplies the penalty's own ``alpha``; its ridge
    stays absolute.

    Parameters
    ----------
    penalty : Penalty
        A plain (not compound) penalty.
    alpha : float, default=1.0
        Strength, >= 0.
    """

    penalty: Penalty
    alpha: float = 1.0

    def _scaled(self):
        return self.penalty.with_alpha(self.alpha * self.penalty.alpha)

    def value(self, W):
        return self._scaled().value(_transpose(W))

    def prox(self, W, step):
        return _transpose(self._scaled().prox(_transpose(W), step))

    def conjugate(self, V):
        return self._scaled().conjugate(_transpose(V))

    def feasible_scale(self, V):
        return self._scaled().feasible_scale(_transpose(V))

    def dual(self, V):
        return self._scaled().dual(_transpose(V))

    def alpha_max(self, G):
        top = self.penalty.alpha_max(_transpose(G))
        return top / self.penalty.alpha if self.penalty.alpha else (0.0 if top == 0 else float("inf"))

    @property
    def null(self):
        return self._scaled().null

    def check(self):
        super().check()
        if not isinstance(self.penalty, Penalty) or self.penalty.part_names:
            raise TypeError(f"Transposed(penalty=...) needs a plain Penalty, got {self.penalty!r}.")
        self.penalty.check()


def _transpose(A):
    return array_namespace(A).permute_dims(A, (1, 0))
