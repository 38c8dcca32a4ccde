"""Penalties made of penalties: best splits (infimal convolution), sums in a chain, and the transpose."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from itertools import pairwise

from array_api_compat import array_namespace

from mtlreg.kernels import for_array
from mtlreg.penalties._base import HomogeneousPenalty, Penalty, check_convex, check_proximable

__all__ = ["Chain", "InfimalConvolution", "Transposed"]


class NamedParts:
    """``get_params`` and ``set_params`` that reach ``parts`` by name, as those of scikit-learn's Pipeline do."""

    #: what an entry of ``parts`` is, and whether it may be a penalty without a name, called by its class then
    _entry = "(name, penalty) pair"
    _nameless = False

    def _pair(self, entry):
        """``(name, part)`` of an entry of ``parts``, None of one that is neither."""
        if self._nameless and isinstance(entry, Penalty):
            return type(entry).__name__.lower(), entry
        paired = isinstance(entry, list | tuple) and len(entry) == 2 and isinstance(entry[0], str)
        return tuple(entry) if paired else None

    def _pairs(self):
        """All pairs; what is not one is left to `_check_pairs`."""
        entries = self.parts if isinstance(self.parts, list | tuple) else ()
        return [pair for pair in map(self._pair, entries) if pair]

    def get_params(self, deep=True):
        own, inner = super().get_params(deep=False), {}
        for name, part in self._pairs() if deep else ():
            inner[name] = part
            if isinstance(part, Penalty):
                inner |= {f"{name}__{key}": value for key, value in part.get_params().items()}
        return inner | own

    def set_params(self, **params):
        if "parts" in params:
            self.parts = params.pop("parts")
        pairs = self._pairs()
        if any(name in params for name, _ in pairs):
            # a new list, for the old one is the caller's
            self.parts = [(name, params.pop(name, part)) for name, part in pairs]
        return super().set_params(**params)

    def _check_pairs(self):
        owner = type(self).__name__
        wanted = f"{owner}(parts=...) needs a list with a {self._entry} for each part"
        if not isinstance(self.parts, list | tuple):
            raise TypeError(f"{wanted}, got {type(self.parts).__name__}.")
        for k, entry in enumerate(self.parts):
            if self._pair(entry) is None:
                raise TypeError(f'{wanted}, such as ("shared", L21()); entry {k} is {entry!r}.')
        own = sorted(self.get_params(deep=False))
        for name, _ in self._pairs():
            if not name or "__" in name or name in own:
                raise ValueError(
                    f"{owner}: {name!r} cannot name a part, whose parameters are reached as name__alpha: give a name "
                    f"without '__' that is none of {own}."
                )

    @property
    def constrained(self):
        return any(part.constrained for _, part in self._pairs() if isinstance(part, Penalty))

    def bind(self, columns):
        other = copy.copy(self)
        other.parts = [(name, part.bind(columns)) for name, part in self._pairs()]
        return other


def _check_distinct(owner, names):
    if len(set(names)) < len(names):
        raise ValueError(f"{owner}: the parts' names {list(names)} are not distinct; give pairs (name, penalty).")


@dataclass(eq=False, repr=False)
class InfimalConvolution(NamedParts, Penalty):
    """``Omega(W) = alpha min { sum_k Omega_k(W_k) : sum_k W_k = W }``, a compound of named parts.

    The conjugate is the sum of the parts' conjugates, and W = 0 is optimal iff it is for every part alone.
    ``alpha`` multiplies the parts' own ``alpha``; their ridges stay absolute.

    Parameters
    ----------
    parts : list of (name, Penalty)
        At least two; the names become the keys of ``components_`` and reach the parts' parameters, as in
        ``set_params(shared__alpha=0.5)``.
    alpha : float, default=1.0
        Strength, >= 0.

    References
    ----------
    Jalali, Ravikumar, Sanghavi & Ruan (2010), A dirty model for multi-task learning, NIPS, is the case L1Linf + L1.
    """

    parts: list = field(default_factory=list)
    alpha: float = 1.0

    @property
    def part_names(self):
        return tuple(name for name, _ in self._pairs())

    @property
    def rotation_invariant(self):
        return all(part.rotation_invariant for _, part in self.parts)

    def _scaled(self):
        return [part.with_alpha(self.alpha * part.alpha) for _, part in self.parts]

    def bind(self, columns):
        bound = super().bind(columns)
        for name, part in bound.parts:
            if part.null_columns(len(columns)) is not None:
                raise ValueError(f"InfimalConvolution: part {name!r} leaves directions free; give it alpha_ridge > 0.")
        return bound

    def value(self, W):
        return sum(part.value(W[k, ...]) for k, part in enumerate(self._scaled()))

    def prox(self, W, step):
        xp = array_namespace(W)
        return xp.stack([part.prox(W[k, ...], step) for k, part in enumerate(self._scaled())])

    def conjugate(self, V):
        return sum(part.conjugate(V) for part in self._scaled())

    def feasible_scale(self, V):
        return min(part.feasible_scale(V) for part in self._scaled())

    def alpha_range(self, problem, eps):
        """That of the part whose strengths reach highest, among those for which strength has a meaning."""
        parts = [part for _, part in self.parts if part.has_strength] or [part for _, part in self.parts]
        ranges = [(part, part.alpha_range(problem, eps)) for part in parts]
        return max(((low / part.alpha, high / part.alpha) for part, (low, high) in ranges), key=lambda ends: ends[1])

    def alpha_max(self, G):
        return max(part.alpha_max(G) / part.alpha for _, part in self.parts)

    def row_kernels(self):
        kernels = [part.row_kernels() for part in self._scaled()]
        return sum(kernels, ()) if all(kernels) else ()

    def check(self):
        super().check()
        self._check_pairs()
        if len(self.parts) < 2:
            raise ValueError("InfimalConvolution(parts=...) needs at least two (name, penalty) pairs.")
        _check_distinct("InfimalConvolution", self.part_names)
        if self.alpha == 0:
            raise ValueError("InfimalConvolution(alpha=0) does not determine the split: give alpha > 0.")
        for name, part in self.parts:
            if not isinstance(part, Penalty):
                raise TypeError(f"InfimalConvolution: part {name!r} is not a Penalty but {type(part).__name__}.")
            if part.part_names:
                raise ValueError(f"InfimalConvolution: part {name!r} is itself a compound; list its parts instead.")
            check_convex("InfimalConvolution", part)
            part.check()
            check_proximable(f"InfimalConvolution: part {name!r}", part)
            if part.null or part.alpha == 0:
                raise ValueError(f"InfimalConvolution: part {name!r} has alpha=0 and would take all of W.")


@dataclass(eq=False, repr=False)
class Chain(NamedParts, HomogeneousPenalty):
    """``Omega(W) = alpha sum_k Omega_k(W) + (alpha_ridge / 2) |W|_F^2``, all on the same W.

    Only sums whose proximal operator is the composition of the parts' operators are taken: differences of tasks
    (`TotalVariation`, `GraphFused`), then entries (`L1`), then row groups (`L21`, `L1Linf`, `L1Lq`, `SparseGroup`).
    ``alpha`` multiplies the parts' own ``alpha``.

    Parameters
    ----------
    parts : list of Penalty or (name, Penalty)
        In any order; at most one of each kind, without ridges of their own. The names reach the parts' parameters, as
        in ``set_params(l1__alpha=0.5)``; a part without one is called by its class, in lower case.
    alpha : float, default=1.0
        Strength, >= 0.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0.

    References
    ----------
    Zhou, Liu, Narayan & Ye (2012), Modeling disease progression via fused sparse group lasso, KDD: the
    decomposition of the proximal operator of the convex form.
    """

    parts: list = field(default_factory=list)
    alpha: float = 1.0
    alpha_ridge: float = 0.0
    _entry = "penalty or (name, penalty) pair"
    _nameless = True

    def _sorted(self):
        return sorted((part for _, part in self._pairs()), key=lambda part: part.chain_rank)

    def _ordered(self):
        return [part.with_alpha(self.alpha * part.alpha) for part in self._sorted()]

    @property
    def null(self):
        return super().null and not self.constrained

    @property
    def _only(self):
        """The one part that has a strength, with the chain's ridge, if there is but one: it knows closed forms."""
        paying = [part for part in self._sorted() if part.alpha]
        if len(paying) != 1 or self.constrained:
            return None
        only = paying[0].with_alpha(self.alpha * paying[0].alpha)
        only.alpha_ridge = self.alpha_ridge
        return only

    def null_columns(self, n_columns):
        return None if self._only is None else self._only.null_columns(n_columns)

    def alpha_max(self, G):
        only = self.with_alpha(1.0)._only
        return super().alpha_max(G) if only is None else only.alpha_max(G) / only.alpha

    def alpha_range(self, problem, eps):
        only = self.with_alpha(1.0)._only
        bounds = super().alpha_range(problem, eps) if only is None else only.alpha_range(problem, eps)
        return tuple(bound / (1.0 if only is None else only.alpha) for bound in bounds)

    def norm_value(self, W):
        return sum(part.norm_value(W) for part in self._ordered())

    def norm_prox(self, W, step):
        for part in self._ordered():
            W = part.norm_prox(W, step)
        return W

    def norm_feasible_scale(self, V):
        for entry, row, q, _, positive in self.row_kernels():
            return float(for_array(V).row_feasible_scale(V, entry, row, q, positive))
        return super().norm_feasible_scale(V) if self._only is None else self._only.norm_feasible_scale(V)

    def row_kernels(self):
        kernels = [part.row_kernels() for part in self._ordered()]
        if not all(kernels):
            return ()
        entry, row, q, _, positive = zip(*sum(kernels, ()), strict=True)
        # entries come first and have no row norm: the last q is that of the only one
        return ((sum(entry), sum(row), q[-1], float(self.alpha_ridge), any(positive)),)

    def check(self):
        super().check()
        self._check_pairs()
        if not self.parts:
            raise ValueError("Chain(parts=...) needs at least one penalty.")
        for _, part in self._pairs():
            if not isinstance(part, HomogeneousPenalty) or part.chain_rank is None:
                raise TypeError(f"Chain: {part!r} has no place in a chain; see the docstring.")
            part.check_in_chain()
            if part.alpha_ridge:
                raise ValueError(f"Chain: {part!r} has a ridge of its own; give the Chain's alpha_ridge instead.")
        if all(part.alpha == 0 for _, part in self._pairs()):
            raise ValueError("Chain: every part has alpha=0; give alpha=0 to the Chain instead.")
        if self.constrained and self.alpha == 0 and self.alpha_ridge == 0:
            raise ValueError("Chain(alpha=0) with positive parts has no certificate: give a small alpha or a ridge.")
        for a, b in pairwise(self._sorted()):
            if a.chain_rank == b.chain_rank:
                raise ValueError(f"Chain: the proximal operators of {a!r} and {b!r} do not compose; give one of them.")
            if a.constrained != b.constrained:
                raise ValueError(f"Chain: {a!r} and {b!r} differ in positive; set it on both.")
            if self._sorted()[0].chain_rank == 0 and not b.orders_rows:
                raise ValueError(f"Chain: the proximal operators of differences of tasks and of {b!r} do not compose.")
        _check_distinct("Chain", [name for name, _ in self._pairs()])


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

    References
    ----------
    Chen, Zhou & Ye (2011), Integrating low-rank and group-sparse structures for robust multi-task learning, KDD, and
    Gong, Ye & Zhang (2012), Robust multi-task feature learning, KDD, have ``Transposed(L21())`` for outlier tasks.
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

    def alpha_range(self, problem, eps):
        try:
            return super().alpha_range(problem, eps)
        except NotImplementedError:  # squared spectral norms; their ranges are the same for W and its transpose
            return tuple(end / self.penalty.alpha for end in self.penalty.alpha_range(problem, eps))

    @property
    def has_strength(self):
        return not isinstance(self.penalty, Penalty) or self.penalty.has_strength

    @property
    def null(self):
        return self._scaled().null

    @property
    def constrained(self):
        return isinstance(self.penalty, Penalty) and self.penalty.constrained

    def check(self):
        super().check()
        if not isinstance(self.penalty, Penalty) or self.penalty.part_names:
            raise TypeError(f"Transposed(penalty=...) needs a plain Penalty, got {self.penalty!r}.")
        check_convex("Transposed", self.penalty)
        if self.penalty.keyed_by_task:
            raise TypeError(f"Transposed: {self.penalty!r} is about tasks, and would be given features.")
        self.penalty.check()
        check_proximable("Transposed", self.penalty)


def _transpose(A):
    return array_namespace(A).permute_dims(A, (1, 0))
