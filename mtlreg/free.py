"""Free directions: what no penalty touches (intercepts, unpenalised features) is minimised out exactly.

For given predictors ``eta`` of the penalised part the free coefficients Z solve, task by task,

    minimise  sum_i weight_i l(y_i, eta_i + U_i Z)

by a damped Newton method (Levenberg's damping, all tasks at once). For the squared loss one step is the weighted
least-squares solution. At the minimum the loss's gradient u satisfies ``U' u = 0``, which is what a dual feasible point
needs; `FreeDirections.project` removes the rounding that is left.
"""

from __future__ import annotations

from array_api_compat import array_namespace

from mtlreg.designs import pinv_psd
from mtlreg.task_losses import split_columns

__all__ = ["FreeDirections"]

MAX_NEWTON = 100
NEAR = 1e-3  # a gradient this small against its terms
ORTHOGONAL = 1000  # times the precision: what counts as rounding in U' u


class FreeDirections:
    """The free directions of a design under given losses, labels and label weights."""

    def __init__(self, design, losses, y, weights):
        self.design, self.losses, self.y, self.weights = design, losses, y, weights
        U = design.U
        self._ones = array_namespace(U).ones((U.shape[0], 1), dtype=U.dtype)
        self._column_weights = losses.expand(weights)
        self._inverse = pinv_psd(design.free_gram(self._column_weights))
        self._bounds = [self._curvature_bound(s) for s in losses.segments]
        self._slices = [design.coefficient_columns(s) for s in losses.segments]

    @property
    def zero(self):
        """Z = 0, (k, n_columns)."""
        U = self.design.U
        return array_namespace(U).zeros((U.shape[1], self.design.n_columns), dtype=U.dtype)

    @property
    def start(self):
        """Z whose predictors are nearly the losses' minima over one constant for each column.

        From zero, Newton's method would not reach the rate of large counts.
        """
        xp = array_namespace(self.y)
        constants = []
        for s in self.losses.segments:
            y = self.y[..., s.labels]
            w = s.of_labels(self.weights)
            total = self.design.group_sums(self._ones, w * xp.ones_like(y), s)[0, :]
            mean = self.design.group_sums(self._ones, w * y, s)[0, :] / xp.where(total > 0, total, xp.ones_like(total))
            constants.append(xp.repeat(s.loss.constant(mean), s.n_columns))
        level = self.design.apply(self._ones, xp.concat(constants)[None, :])
        return self._fit(self.gradient(self._column_weights * level))

    def predictor(self, Z):
        """``U Z``."""
        return self.design.apply(self.design.U, Z)

    def gradient(self, u):
        """``U' u``: of the losses by Z, for their derivative u."""
        return self.design.adjoint(self.design.U, u)

    def project(self, u):
        """``u`` made orthogonal to U: ``u - weights U (U' weights U)^+ U' u``."""
        for _ in range(2):  # the second pass removes the rounding of the first
            u = u - self._column_weights * self.predictor(self._fit(self.gradient(u)))
        return u

    def step(self, gradient):
        """The change of Z down a gradient by Z that the losses' largest curvature allows, where it is bounded.

        ``- (U' diag(sup l'' weights) U)^+ gradient``.
        """
        xp = array_namespace(gradient)
        curvature = [
            xp.full((columns.stop - columns.start,), s.loss.curvature, dtype=gradient.dtype)
            for s, columns in zip(self.losses.segments, self._slices, strict=True)
        ]
        return -self._fit(gradient) / xp.concat(curvature)

    def orthogonal(self, u, before):
        """Whether ``U' u`` is zero but for rounding, without which u is no dual point.

        ``before`` is u as it was before its projection, which may have left nothing but rounding.
        """
        xp, design = array_namespace(u), self.design
        top = xp.max(xp.abs(before))
        scaled = before / xp.where(top > 0, top, xp.ones_like(top))  # squares would underflow
        left = xp.abs(self.gradient(u))
        # lengths, not sums of |U_i u_i|: u may be nothing but rounding wherever a sparse direction is not zero
        lengths = design.adjoint(design.U**2, xp.ones_like(u)) * design.adjoint(self._ones, scaled**2)
        return not bool(xp.any(left > ORTHOGONAL * xp.finfo(u.dtype).eps * top * xp.sqrt(lengths)))

    def project_inside(self, u, eta):
        """``u``, the derivative at predictors ``eta``, made orthogonal to U by changes in proportion to ``l''``.

        A label whose derivative is at the edge of the conjugate's domain has ``l'' = 0``, or nearly, and so stays in
        it: a change common to all labels, as that of `project`, would push it out.
        """
        project = self.projection(eta)
        return project(project(u))  # the second pass removes the rounding of the first

    def projection(self, eta):
        """One pass of `project_inside` at predictors ``eta``, as a function of u."""
        xp = array_namespace(eta)
        still = xp.zeros(sum(b.shape[0] for b in self._by_group(self.zero[0, :])), dtype=eta.dtype)
        inverses, hessians = self._inverses(eta, still), []
        for s in self.losses.segments:
            hessians.append(s.loss.hessian(self.y[..., s.labels], split_columns(eta[..., s.columns], s.n_columns)))

        def project(u):
            moved = self.predictor(self._solved(inverses, self.gradient(u)))
            parts = []
            for s, h in zip(self.losses.segments, hessians, strict=True):
                step = split_columns(moved[..., s.columns], s.n_columns)
                change = h * step if s.n_columns == 1 else (h @ step[..., None])[..., 0]
                parts.append(xp.reshape(change, (*eta.shape[:-1], -1)))
            return u + self._column_weights * (parts[0] if len(parts) == 1 else xp.concat(parts, axis=-1))

        return project

    def solve(self, eta, Z):
        """The minimising Z for predictors ``eta``, started at ``Z``, but for rounding; also ``converged`` (bool)."""
        xp = array_namespace(eta)
        value, gradient, excess = self._evaluate(eta, Z)
        eps = float(xp.finfo(value.dtype).eps)
        enough = 8 * eps
        active = excess > enough
        damping = xp.zeros_like(value)
        stalls = xp.zeros_like(value)
        for _ in range(MAX_NEWTON):
            if not bool(xp.any(active)):
                return Z, True
            step = self._newton_step(eta + self.predictor(Z), gradient, damping)
            trial = Z + xp.where(self._to_columns(active)[None, :], step, xp.zeros_like(step))
            new_value, new_gradient, new_excess = self._evaluate(eta, trial)
            change, size = new_value - value, xp.abs(value)
            halved = new_excess <= 0.5 * excess
            # a decrease counts only above rounding; inside it the gradient decides, and near the minimum it may alone,
            # for the terms of the value bring far more rounding than their sum shows
            flat = xp.abs(change) <= 4 * eps * size
            fell = (change < -4 * eps * size) | (flat & (new_excess < excess))
            good = active & (fell | ((excess <= NEAR) & halved))
            # a full step of no effect this near: nothing but rounding is left, or the minimum is at infinity
            settled = (damping == 0) & ~halved & (flat | (excess <= eps**0.5))
            wide = self._to_columns(good)[None, :]
            Z = xp.where(wide, trial, Z)
            gradient = xp.where(wide, new_gradient, gradient)
            value = xp.where(good, new_value, value)
            excess = xp.where(good, new_excess, excess)
            stalls = xp.where(good, xp.zeros_like(stalls), stalls + 1)
            tiny = xp.asarray(1e-3, dtype=value.dtype)
            damping = xp.where(good, damping * 0.1, xp.where(damping < tiny, tiny, damping * 10))
            damping = xp.where(damping < 1e-12, xp.zeros_like(damping), damping)
            active = active & (excess > enough) & (stalls < 14) & ~settled
        return Z, not bool(xp.any(active))

    def escaping(self, Z):
        """Predictors so far from those of `start` that the minimum must lie at infinity: one bool a column."""
        xp = array_namespace(Z)
        far = xp.astype(xp.abs(self.predictor(Z - self.start)) > 25.0, Z.dtype)
        reach = self.design.adjoint(self._ones, far * self._column_weights)
        total = self.design.adjoint(self._ones, xp.ones_like(far) * self._column_weights)
        return reach[0, :] > 0.1 * total[0, :]

    # -- pieces -----------------------------------------------------------------------------------------------

    def _fit(self, gradient):
        """``(U' weights U)^+ gradient``: of ``U' u``, the weighted least squares of ``u / weights`` on U."""
        xp = array_namespace(gradient)
        right = xp.permute_dims(gradient, (1, 0))[:, :, None]
        return xp.permute_dims((self._inverse @ right)[:, :, 0], (1, 0))

    def _evaluate(self, eta, Z):
        """Value of every group, gradient of every column, and by group the largest gradient against its terms."""
        xp = array_namespace(eta)
        full = eta + self.predictor(Z)
        losses = self.weights * self.losses.value(self.y, full)
        value = xp.concat(
            [self.design.group_sums(self._ones, losses[..., s.labels], s)[0, :] for s in self.losses.segments]
        )
        u = self.losses.derivative(self.y, full, self.weights)
        gradient = self.gradient(u)
        scale = self.design.adjoint(xp.abs(self.design.U), xp.abs(u))
        excess = xp.max(xp.abs(gradient) / xp.where(scale > 0, scale, xp.ones_like(scale)), axis=0)
        return value, gradient, xp.concat([xp.max(block, axis=1) for block in self._by_group(excess)])

    def _newton_step(self, eta, gradient, damping):
        return self._solved(self._inverses(eta, damping), gradient)

    def _inverses(self, eta, damping):
        """Inverses of the damped Newton systems, a stack for each segment."""
        inverses, at = [], 0
        for s, bound in zip(self.losses.segments, self._bounds, strict=True):
            H = self._hessian(s, eta)
            mu = damping[at : at + H.shape[0]][:, None, None]
            at += H.shape[0]
            inverses.append(pinv_psd(H + mu * (H if bound is None else bound)))
        return inverses

    def _solved(self, inverses, gradient):
        """The Newton step for a gradient."""
        xp = array_namespace(gradient)
        k, steps = self.design.U.shape[1], []
        for s, columns, inverse in zip(self.losses.segments, self._slices, inverses, strict=True):
            n_groups, size = inverse.shape[0], inverse.shape[1]
            g = xp.reshape(gradient[:, columns], (k, n_groups, s.n_columns))
            g = xp.reshape(xp.permute_dims(g, (1, 0, 2)), (n_groups, size, 1))
            d = xp.reshape(-(inverse @ g), (n_groups, k, s.n_columns))
            steps.append(xp.reshape(xp.permute_dims(d, (1, 0, 2)), (k, n_groups * s.n_columns)))
        return xp.concat(steps, axis=1)

    def _hessian(self, segment, eta):
        """``U' diag(weights l'') U`` of every group of a segment: (n_groups, k K, k K)."""
        y = self.y[..., segment.labels]
        h = segment.loss.hessian(y, split_columns(eta[..., segment.columns], segment.n_columns))
        w = segment.of_labels(self.weights)
        w = w[..., None, None] if segment.n_columns > 1 else w
        return self._system(w * h, segment, segment.n_columns)

    def _system(self, h, segment, m):
        xp = array_namespace(h)
        k = self.design.U.shape[1]
        H = xp.reshape(self.design.pair_sums(self.design.U, h, segment), (k, k, -1, m, m))
        H = xp.permute_dims(H, (2, 0, 3, 1, 4))
        return xp.reshape(H, (H.shape[0], k * m, k * m))

    def _curvature_bound(self, segment):
        """The system matrix with ``l''`` replaced by its supremum (None where there is none)."""
        if segment.loss.curvature is None:
            return None
        xp = array_namespace(self.y)
        w = segment.of_labels(self.weights)
        h = segment.loss.curvature * w * xp.ones_like(self.y[..., segment.labels])
        if segment.n_columns > 1:
            h = h[..., None, None] * xp.eye(segment.n_columns, dtype=h.dtype)
        return self._system(h, segment, segment.n_columns)

    def _by_group(self, per_column):
        """An array over the columns of W as one (n_groups, columns of a group) for each segment."""
        xp = array_namespace(per_column)
        pairs = zip(self.losses.segments, self._slices, strict=True)
        return [xp.reshape(per_column[columns], (-1, s.n_columns)) for s, columns in pairs]

    def _to_columns(self, per_group):
        """Repeat a group's entry over its columns."""
        if self.losses.scalar:
            return per_group
        xp = array_namespace(per_group)
        parts, at = [], 0
        for s, columns in zip(self.losses.segments, self._slices, strict=True):
            n_groups = (columns.stop - columns.start) // s.n_columns
            parts.append(xp.repeat(per_group[at : at + n_groups], s.n_columns))
            at += n_groups
        return xp.concat(parts)
