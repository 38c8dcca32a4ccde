"""Checks of one penalty."""

from __future__ import annotations

import pickle

import numpy as np
from sklearn.base import clone

from mtlreg.kernels.generic.rows import shrink_rows
from mtlreg.testing._common import assert_close, check_untouched, require, same_elsewhere
from mtlreg.testing._concave import check_concave
from mtlreg.testing._couplings import check_couplings

__all__ = ["check_penalty"]

SHAPES = ((9, 4), (5, 1), (1, 3))


def check_penalty(penalty, shape=None, seed=0):
    """Check a penalty against the protocol of `mtlreg.penalties.Penalty`.

    * ``value`` is convex, 0 at 0 and does not fall with ``alpha``.
    * ``prox`` minimises what it should: no perturbation gets below it by more than strong convexity allows.
    * ``conjugate`` obeys the Fenchel-Young inequality, with equality at pairs that the prox gives.
    * ``feasible_scale`` and ``alpha_max`` are exact from both sides; W = 0 is optimal iff alpha >= alpha_max.
      Both only beside ``null_columns``, which change nothing.
    * ``quadratic``, ``smooth_coupling`` and ``null_columns``, where given, are what `value` says. Of a penalty with a
      smooth coupling the other part, ``proximable``, is what is checked.
    * ``rotation_invariant`` is true only if turning the columns of W leaves ``value`` as it is, ``left_invariant`` only
      if turning the rows does, and a projection of them does not raise it.
    * ``row_kernels`` and ``row_violations``, where given, agree with the rest.
    * Arguments stay untouched, Fortran order and read-only memory are taken, float32 stays float32,
      ``array_api_strict`` arrays (if installed) give the same; parameters, clones and pickles work as in
      scikit-learn.

    A penalty with ``convex = False`` has no prox. Of it ``value`` is checked to be concave along rays, ``slopes`` to be
    its derivatives, ``majorant`` to be convex (by this check) and above it, ``alpha_max`` and arrays as above.

    Parameters
    ----------
    penalty : Penalty
        With ``alpha > 0``.
    shape : (int, int), default=None
        Of W; None tries several. Penalties with a structure (a graph, an order) may need a given number of
        columns, which are those of tasks 0, 1, ...
    seed : int, default=0

    Raises
    ------
    AssertionError
        Saying what does not hold.
    """
    penalty.check()
    require(float(penalty.alpha) > 0, "check_penalty needs alpha > 0")
    for one in SHAPES if shape is None else (shape,):
        if not penalty.convex:
            check_concave(penalty, one, np.random.default_rng(seed), check_penalty)
            W = float(penalty.alpha) * np.random.default_rng(seed).standard_normal(one)
            continue
        check_couplings(penalty, one, np.random.default_rng(seed))
        check = _Check(penalty.proximable, one, np.random.default_rng(seed))
        check.arguments()
        check.values()
        check.rotations()
        check.prox()
        check.conjugate()
        check.feasible_scale()
        check.alpha_max()
        check.row_kernels()
        check.arrays()
        W = check.inside(check.random())
    _check_parameters(penalty, W)


class _Check:
    """A penalty with random arguments for it; ``x`` is one matrix or a stack of parts, W and G always one
    matrix."""

    def __init__(self, penalty, shape, rng):
        self.penalty, self.shape, self.rng = penalty, shape, rng
        self.parts = len(penalty.part_names)
        self.name = f"{penalty!r} at shape {shape}"
        self.null = self.penalty.null_columns(shape[1])
        # arguments of prox at which some rows, some entries and nothing become zero
        self.size = 1.5 * self.strength()

    def strength(self):
        """The largest entry of the dual constraint's boundary in a random direction."""
        V = self.orthogonal(self.rng.standard_normal(self.shape))
        try:
            alpha = self.penalty.alpha_max(V)
        except NotImplementedError:
            return 1.0
        return float(self.penalty.alpha) / alpha if alpha > 0 else 1.0

    def random(self, size=1.0):
        """Coefficients x with magnitudes that differ."""
        shape = (self.parts, *self.shape) if self.parts else self.shape
        return size * self.rng.standard_normal(shape) * 10.0 ** self.rng.uniform(-1, 1, (*shape[:-1], 1))

    def matrix(self, size=1.0):
        sizes = size * 10.0 ** self.rng.uniform(-1, 1, (self.shape[0], 1))
        return self.orthogonal(self.rng.standard_normal(self.shape) * sizes)

    def orthogonal(self, V):
        """V without its part along the penalty's null directions, where no conjugate is finite."""
        return V if self.null is None else V - V @ self.null @ self.null.T

    def any_beside_null(self, x, scale):
        """Whether x is not zero; where there are null directions, whether it is more than rounding beside them."""
        return np.any(x != 0) if self.null is None else np.any(np.abs(self.orthogonal(x)) > 1e-13 * scale)

    def rotations(self):
        if self.penalty.rotation_invariant:
            x, Q = self.inside(self.random()), np.linalg.qr(self.rng.standard_normal((self.shape[1],) * 2))[0]
            assert_close(
                self.penalty.value(x @ Q), self.penalty.value(x), 1e-11, f"{self.name}: value after a rotation"
            )
        if self.penalty.left_invariant:
            x, Q = self.inside(self.random()), np.linalg.qr(self.rng.standard_normal((self.shape[0],) * 2))[0]
            value, part = self.penalty.value(x), Q[:, 1:]
            assert_close(self.penalty.value(Q @ x), value, 1e-11, f"{self.name}: value after a rotation of the rows")
            require(
                self.penalty.value(part @ (part.T @ x)) <= value * (1 + 1e-11),
                f"{self.name}: a projection of the rows has a larger value",
            )

    def spread(self, V):
        return np.broadcast_to(V, (self.parts, *self.shape)) if self.parts else V

    def total(self, x):
        return x.sum(axis=0) if self.parts else x

    def inside(self, x):
        """A point near x where the penalty is finite."""
        return self.penalty.prox(x, 1e-8)

    # -- the function itself --

    def values(self):
        p, name = self.penalty, self.name
        zero = np.zeros_like(self.random())
        require(p.value(zero) == 0, f"{name}: value(0) is {p.value(zero)}")
        stronger = p.with_alpha(2 * p.alpha)
        for _ in range(10):
            a, b = self.inside(self.random()), self.inside(self.random())
            value_a, value_b, middle = p.value(a), p.value(b), p.value(0.5 * (a + b))
            require(isinstance(value_a, float), f"{name}: value is a {type(value_a).__name__}, not a float")
            require(np.isfinite(value_a) and value_a >= 0, f"{name}: value {value_a} at a point prox gives")
            slack = 1e-12 * (value_a + value_b)
            below = middle <= 0.5 * (value_a + value_b) + slack
            ray = p.value(2 * a) <= 0.5 * (value_a + p.value(3 * a)) + slack
            require(below and ray, f"{name}: value is not convex")
            require(stronger.value(a) >= value_a - slack, f"{name}: value falls as alpha grows")

    def prox(self):
        """At the minimum Z of ``h = |Z - V|^2 / 2 + step Omega(Z)``, ``h(Z + d) >= h(Z) + |d|^2 / 2`` for all d."""
        p, name = self.penalty, self.name
        for step in (0.1, 1.0, 7.0):
            for _ in range(3):
                V = self.random(self.size * step)
                Z = p.prox(V, step)
                require(Z.shape == V.shape, f"{name}: prox gives shape {Z.shape} for {V.shape}")

                def objective(Z, V=V, step=step):
                    return 0.5 * float(np.sum((Z - V) ** 2)) + step * p.value(Z)

                least = objective(Z)
                require(np.isfinite(least), f"{name}: prox(V, {step}) is outside the domain of value")
                for d in self.perturbations(Z, V):
                    gain = least + 0.5 * float(np.sum(d * d)) - objective(Z + d)
                    scale = 1 + least + float(np.sum(V * V))
                    message = f"{name}: prox(V, {step}) is not the minimum: another point is lower by {gain:.3g}"
                    require(gain <= 1e-13 * scale, message)

    def perturbations(self, Z, V):
        for size in (1e-5, 1e-3, 0.1, 1.0):
            size *= max(1e-3, float(np.max(np.abs(V))))
            d = self.rng.standard_normal(Z.shape)
            yield size * d
            yield size * d * (Z != 0)
            yield size * d * (self.rng.random(Z.shape) < 1.5 / Z.size)
            yield size * d * (self.rng.random((*Z.shape[:-1], 1)) < 0.3)
            yield np.abs(size * d)
        for share in (1e-4, 0.01, 0.3):
            yield share * (V - Z)
            yield -share * Z
            yield share * Z
            yield share * np.sign(Z) * float(np.max(np.abs(Z)))

    # -- duality --

    def conjugate(self):
        p, name = self.penalty, self.name
        for _ in range(5):
            V = self.matrix(self.size)
            scale = p.feasible_scale(V)
            conjugate = p.conjugate(scale * V)
            require(np.isfinite(conjugate), f"{name}: conjugate(s V) is {conjugate} at s = feasible_scale(V)")
            require(p.dual(V) == (scale, conjugate), f"{name}: dual(V) is not (s, conjugate(s V))")
            for x in self.rivals(scale * V):
                value, product = p.value(x), scale * float(np.sum(V * self.total(x)))
                excess = (product - value - conjugate) / (1 + abs(product))
                require(excess <= 1e-12, f"{name}: conjugate(V) is below <V, W> - value(W) by {excess:.3g}")
            self.equality(V * (1.0 if self.parts else 3.0))

    def rivals(self, V):
        """Points x where <V, x> - value(x) may exceed the conjugate: random ones, and far out where V is infeasible."""
        for size in (0.01, 1.0, 30.0):
            yield self.inside(self.random(size))
            yield self.penalty.prox(self.spread(1e4 * size * V), 1e4 * size)

    def equality(self, A):
        """At W = prox(A, 1), V = A - W is a subgradient: value(W) + conjugate(V) = <V, W>."""
        p, name = self.penalty, self.name
        x = p.prox(self.spread(A), 1.0)
        if self.parts:
            x = self.common_subgradient(A, x)
        V = A - self.total(x)
        scale, conjugate = p.dual(V)
        tolerance = 1e-6 if self.parts else 1e-10
        require(scale >= 1 - tolerance, f"{name}: feasible_scale of a subgradient is {scale:.15g}, not 1")
        value, product = p.value(x), float(np.sum(V * self.total(x)))
        size = 1 + abs(value) + abs(product)
        message = f"{name}: value(W) + conjugate(V) is not <V, W> at a subgradient V"
        assert_close((value + conjugate) / size, product / size, 10 * tolerance, message)

    def common_subgradient(self, A, x):
        """x near the minimum of ``|A - total|^2 / 2 + value``, where ``A - total`` is a subgradient for every part."""
        before, k = x, 0
        for _ in range(5000):
            ahead = x + k / (k + 3) * (x - before)
            before, x = x, self.penalty.prox(ahead + (A - self.total(ahead)) / self.parts, 1.0 / self.parts)
            k = 0 if np.sum((ahead - x) * (x - before)) > 0 else k + 1
            if np.max(np.abs(x - before)) <= 1e-11 * np.max(np.abs(A)):
                break
        return x

    def feasible_scale(self):
        p, name = self.penalty, self.name
        require(p.feasible_scale(np.zeros(self.shape)) == 1, f"{name}: feasible_scale(0) is not 1")
        for size in (0.01, 1.0, 100.0):
            V = self.matrix(size * self.size)
            scale = p.feasible_scale(V)
            require(0 <= scale <= 1, f"{name}: feasible_scale is {scale}")
            require(np.isfinite(p.conjugate(scale * V)), f"{name}: feasible_scale(V) is too large")
            require(p.feasible_scale(0.999 * scale * V) == 1, f"{name}: feasible_scale of a feasible V is not 1")
            if scale < 1:
                above = p.conjugate(max(scale * (1 + 1e-9), 1e-12) * V)
                require(above == float("inf"), f"{name}: feasible_scale(V) = {scale:.15g} is too small")

    def alpha_max(self):
        """W = 0 is optimal iff -G is a subgradient at 0, that is iff prox(-G, 1) = 0 (beside null directions)."""
        p, name = self.penalty, self.name
        try:
            require(p.alpha_max(np.zeros(self.shape)) == 0, f"{name}: alpha_max(0) is not 0")
        except NotImplementedError:
            return
        for size in (1e-3, 1.0, 1e3):
            for G in (self.matrix(size), self.orthogonal(np.abs(self.matrix(size)))):
                alpha = p.alpha_max(G)
                require(isinstance(alpha, float) and alpha >= 0, f"{name}: alpha_max is {alpha!r}")
                above = p.with_alpha(max(alpha * (1 + 1e-12), 1e-300)).prox(self.spread(-G), 1.0)
                require(
                    not self.any_beside_null(above, np.max(np.abs(G))),
                    f"{name}: alpha_max = {alpha:.15g} is too small: prox(-G, 1) is not 0 there",
                )
                if alpha > 0:
                    below = p.with_alpha(alpha * (1 - 1e-9)).prox(self.spread(-G), 1.0)
                    require(
                        self.any_beside_null(below, np.max(np.abs(G))), f"{name}: alpha_max = {alpha:.15g} is too large"
                    )

    # -- capabilities --

    def row_kernels(self):
        p, name = self.penalty, self.name
        kernels = p.row_kernels()
        if not kernels:
            return
        require(len(kernels) == max(1, self.parts), f"{name}: {len(kernels)} row_kernels for {self.parts} parts")
        x, step = self.random(self.size), 0.5
        Z, value = p.prox(x, step), 0.0
        pairs = zip(x, Z, strict=True) if self.parts else [(x, Z)]
        for (entry, row, q, ridge, positive), (V, W) in zip(kernels, pairs, strict=True):
            share = 1 / (1 + step * ridge)
            wanted = shrink_rows(share * V, share * step * entry, share * step * row, q, positive)
            assert_close(W, wanted, 1e-12, f"{name}: prox is not what row_kernels says")
            norms = np.array([np.linalg.norm(w, q) for w in W])
            value += entry * np.abs(W).sum() + row * norms.sum() + 0.5 * ridge * (W * W).sum()
        assert_close(p.value(Z), value, 1e-12, f"{name}: value is not what row_kernels says")
        V = self.matrix()
        for j in range(len(V)):  # a row violates the constraint iff, were it alone, W = 0 would not be optimal
            alone = np.where(np.arange(len(V))[:, None] == j, V, 0)
            edge = p.alpha_max(-alone)
            for share in (1 - 1e-9, 1 + 1e-9):
                violation = p.row_violations(share * alone * (p.alpha / edge if edge > 0 else 1.0))
                wanted = (np.arange(len(V)) == j) & (share > 1) & (edge > 0)
                message = f"{name}: row_violations is {violation} at {share} times the boundary of row {j}"
                require(np.array_equal(violation > 0, wanted), message)

    # -- arrays --

    def everything(self, x, V):
        p = self.penalty
        strongest = [p.alpha_max(V)] if self.has_alpha_max() else []
        Z = p.prox(x, 0.5)
        return [p.value(Z), Z, p.feasible_scale(V), p.conjugate(0.5 * V), *strongest]

    def arguments(self):
        x, V = self.random(self.size), self.matrix(0.1 * self.size)
        check_untouched(self.everything, [x, V], self.name)
        ordered = self.everything(np.asfortranarray(x), np.asfortranarray(V))
        for one, other in zip(ordered, self.everything(x, V), strict=True):
            assert_close(one, other, 1e-13, f"{self.name}: the order in memory changes the result")

    def arrays(self):
        p, name = self.penalty, self.name
        wide = [self.random(self.size), self.matrix(0.1 * self.size)]
        x, V = (a.astype(np.float32) for a in wide)
        Z, exact = p.prox(x, 0.5), p.prox(x.astype(float), 0.5)
        require(Z.dtype == np.float32, f"{name}: prox gives {Z.dtype} for float32")
        size = float(np.max(np.abs(x)))
        assert_close(Z / size, exact / size, 1e-5, f"{name}: prox in float32")
        V_exact = self.orthogonal(V.astype(float))
        for method, argument, exact in [("value", Z, Z.astype(float)), ("feasible_scale", V, V_exact)]:
            there, message = getattr(p, method)(argument), f"{name}: {method} in float32"
            require(isinstance(there, float), f"{message}: {type(there).__name__}, not a float")
            assert_close(there, getattr(p, method)(exact), 1e-5, message)
        scaled = p.feasible_scale(V) * V
        require(np.isfinite(p.conjugate(scaled)), f"{name}: float32 V is infeasible after scaling")
        same_elsewhere(self.everything, wide, 1e-10, name)

    def has_alpha_max(self):
        try:
            self.penalty.alpha_max(np.zeros(self.shape))
        except NotImplementedError:
            return False
        return True


def _check_parameters(penalty, x):
    name = repr(penalty)
    alpha = penalty.alpha
    other = penalty.with_alpha(3.0 * alpha)
    require(other is not penalty and penalty.alpha == alpha, f"{name}: with_alpha changes the penalty itself")
    require(other.alpha == 3.0 * alpha, f"{name}: with_alpha({3 * alpha}).alpha is {other.alpha}")
    require(type(other) is type(penalty), f"{name}: with_alpha gives another class")
    value = penalty.value(x)
    for what, copied in [("clone", clone(penalty)), ("a pickle", pickle.loads(pickle.dumps(penalty)))]:
        require(copied.value(x) == value, f"{name}: {what} has another value")
        require(set(copied.get_params()) == set(penalty.get_params()), f"{name}: {what} has other parameters")
    shallow = penalty.get_params(deep=False)
    rebuilt = type(penalty)(**shallow)
    for key, given in shallow.items():
        require(getattr(rebuilt, key) is given, f"{name}: the constructor changes {key}")
    rebuilt = clone(penalty).set_params(**{k: v for k, v in penalty.get_params().items() if "__" in k or k == "alpha"})
    require(rebuilt.value(x) == value, f"{name}: set_params(**get_params()) changes the value")
    for bad in (-1.0, float("nan")):
        try:
            penalty.with_alpha(bad).check()
        except ValueError:
            continue
        raise AssertionError(f"{name}: check accepts alpha = {bad}")
