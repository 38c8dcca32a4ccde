"""The table that the commands are tried on."""

import numpy as np

N = 48


def make_table():
    """Columns of every kind; u, v are numbers, yes and hit classes; labels are missing."""
    import pandas as pd

    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((N, 3)), columns=["a", "b", "c"])
    table["color"] = rng.choice(["red", "green", "blue"], N)
    table["flag"] = rng.random(N) < 0.5
    table["school"] = np.tile(["01", "2", "x"], N // 3)
    eta = table["a"] + 0.5 * table["b"] + (table["color"] == "red")
    table["u"] = (eta + 0.1 * rng.standard_normal(N)).mask(rng.random(N) < 0.15)
    table["v"] = table["c"] - eta + 0.1 * rng.standard_normal(N)
    noisy = eta + 0.3 * rng.standard_normal(N)
    table["yes"] = pd.Series(np.where(noisy > 0.3, "yes", "no"), dtype=object).mask(rng.random(N) < 0.1)
    table["hit"] = (noisy > 0).astype(int).astype(object).mask(rng.random(N) < 0.1)
    table["true"] = noisy > 0.1
    table["rank"] = np.digitize(noisy, [-0.3, 0.8]) + 1
    return table
