"""Pictures of penalties and losses for the guide, computed from the package while the pages are built."""

import numpy as np
from matplotlib.figure import Figure
from scipy.spatial import ConvexHull

from mtlreg import Dirty, MultiTaskRegressor, RowWeighted
from mtlreg.datasets import make_block_sparse

# what to draw balls of: a name, and W for two numbers
ONE_FEATURE = ("one feature,\ntwo tasks", lambda pair: pair.reshape(1, 2))
ONE_TASK = ("two features,\none task", lambda pair: pair.reshape(2, 1))
DIAGONAL = ("two tasks, each with\na feature of its own", np.diag)


def show_penalty(penalty, data=None, share=0.3, balls=(ONE_FEATURE, ONE_TASK)):
    """Draw the unit balls of a penalty (if it is not convex, its price for a row) and the coefficients it fits.

    Parameters
    ----------
    penalty : Penalty
        Its strength does not matter.
    data : Bunch, default=None
        From `mtlreg.datasets`, shared rows; None: `make_block_sparse`.
    share : float, default=0.3
        Strength of the fit, relative to the largest on a path.
    balls : two of ONE_FEATURE, ONE_TASK, DIAGONAL

    Returns
    -------
    Figure
    """
    import matplotlib.pyplot as plt

    if data is None:
        data = make_block_sparse(40, 30, 6, 5, noise=1.5, random_state=1)
    top = MultiTaskRegressor(penalty).path_alphas(data.X, data.y, 1)[0]
    model = MultiTaskRegressor(penalty.with_alpha(share * top)).fit(data.X, data.y)
    parts = {"truth": data.coef, **model.components_}
    if penalty.part_names:
        parts["fitted: all parts together"] = model.coef_
    fig = plt.figure(figsize=(9, 0.85 + 0.85 * len(parts)), layout="constrained")
    return draw(fig, penalty, parts, balls)


def draw(fig: Figure, penalty, parts, balls):
    """Two balls or prices on the left, a heat map for each of ``parts`` (name -> coefficients) on the right."""
    grid = fig.add_gridspec(len(parts), 3, width_ratios=[1, 1, 3])
    left = [fig.add_subplot(grid[:, column]) for column in (0, 1)]
    if penalty.convex:
        for ax, (words, place) in zip(left, balls, strict=True):
            draw_ball(ax, words, unit_ball(penalty, place))
    else:
        draw_prices(*left, penalty)
    draw_coefficients([fig.add_subplot(grid[row, 2]) for row in range(len(parts))], parts)
    return fig


def show_calibrated(penalty, data, share=0.3):
    """Draw the price of a task under the calibrated and the squared loss and the coefficients fitted with each.

    Parameters
    ----------
    penalty : Penalty
        Its strength does not matter.
    data : Bunch
        From `mtlreg.datasets`, shared rows.
    share : float, default=0.3
        Strength of each fit, relative to the largest on its path.

    Returns
    -------
    Figure
    """
    import matplotlib.pyplot as plt

    parts = {"truth": data.coef}
    for loss in ("squared", "calibrated"):
        model = MultiTaskRegressor(penalty, loss=loss)
        top = model.path_alphas(data.X, data.y, 1)[0]
        parts[f"{loss} loss"] = model.set_params(penalty__alpha=share * top).fit(data.X, data.y).coef_
    fig = plt.figure(figsize=(9, 0.85 + 0.85 * len(parts)), layout="constrained")
    grid = fig.add_gridspec(len(parts), 2, width_ratios=[1, 2])
    ax = fig.add_subplot(grid[:, 0])
    sizes = np.linspace(0, 3, 100)
    ax.plot(sizes, sizes, color="C0")
    ax.plot(sizes, sizes**2 / 2, color="0.5", linestyle="--", linewidth=1)
    ax.set(xticks=[0], yticks=[0], title="price of a task\nby its root mean square residual")
    ax.title.set_fontsize(10)
    ax.spines[["top", "right"]].set_visible(False)
    draw_coefficients([fig.add_subplot(grid[row, 1]) for row in range(len(parts))], parts)
    return fig


def draw_coefficients(axes, parts):
    """A heat map for each of ``parts`` (name -> coefficients), all on one scale."""
    limit = max(np.abs(part).max() for part in parts.values())
    for ax, (name, part) in zip(axes, parts.items(), strict=True):
        ax.imshow(part, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="none")
        ax.set(xticks=[], yticks=[], ylabel="tasks")
        ax.set_title("fitted" if name == "coef" else name, fontsize=10)
    axes[-1].set_xlabel("features")


def draw_ball(ax, words, points):
    """The set that points enclose."""
    ax.fill(*points.T, color="C0", alpha=0.25)
    ax.plot(*points.T, color="C0")
    ax.axhline(0, color="0.7", linewidth=0.8)
    ax.axvline(0, color="0.7", linewidth=0.8)
    ax.set(aspect="equal", xticks=[], yticks=[], title=words)
    ax.title.set_fontsize(10)
    ax.margins(0.12)
    ax.spines[:].set_visible(False)


def draw_prices(whole, more, penalty):
    """The price of a row of one coefficient, and its slope; dashed those of the norm from which the fit starts."""
    penalty = penalty.with_alpha(1.0)
    sizes = np.linspace(0.01, 5, 200)
    prices = np.array([penalty.value(np.array([[g]])) for g in sizes])
    norms = np.array([penalty.majorant().value(np.array([[g]])) for g in sizes])
    slopes = [penalty.slopes(np.array([[g]]))[0] * norm / g for g, norm in zip(sizes, norms, strict=True)]
    for ax, solid, dashed, words in [
        (whole, prices, norms, "price of a row\nby its size"),
        (more, slopes, norms / sizes, "slope"),
    ]:
        ax.plot(sizes, solid, color="C0")
        ax.plot(sizes, dashed, color="0.5", linestyle="--", linewidth=1)
        ax.set(xticks=[0], yticks=[0], ylim=(0, 1.6 * max(dashed[0], prices.max() * (ax is whole))), title=words)
        ax.title.set_fontsize(10)
        ax.spines[["top", "right"]].set_visible(False)


def unit_ball(penalty, place):
    """Points on the boundary of ``{W : Omega(W) <= 1}`` for W = place(two numbers), (n, 2), closed."""
    if penalty.part_names:  # the convex hull of the parts' balls, and to it the sets of constraints are added
        parts = penalty.bind([(0, None), (1, None)]).parts if isinstance(penalty, Dirty) else penalty.parts
        balls = [(part, unit_ball(part, place)) for _, part in parts]
        points = np.concatenate([ball for part, ball in balls if part.has_strength])
        for ball in (ball for part, ball in balls if not part.has_strength):
            points = (points[:, None] + ball).reshape(-1, 2)
        points = points[ConvexHull(points).vertices]
    else:
        if isinstance(penalty, RowWeighted):  # the first features are drawn
            penalty = RowWeighted(penalty.penalty, penalty.weights[: place(np.ones(2)).shape[0]])
        angles = np.linspace(0, 2 * np.pi, 241)
        directions = np.column_stack([np.cos(angles), np.sin(angles)])
        points = np.array([d * radius(penalty, place(d)) for d in directions])
    return np.concatenate([points, points[:1]])


def radius(penalty, direction):
    """The largest r with ``Omega(r direction) <= 1``; 0 outside the domain."""
    one, two = penalty.value(direction), penalty.value(2 * direction)
    if 0 < one < np.inf and np.isclose(two, 2 * one, rtol=1e-12):  # a norm
        return 1 / one
    low, high = 0.0, 1.0
    while penalty.value(high * direction) <= 1:
        low, high = high, 2 * high
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if penalty.value(middle * direction) <= 1 else (low, middle)
    return low
