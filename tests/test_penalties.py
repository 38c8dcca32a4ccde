"""Penalties: the public check on all of them, and what it cannot know."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mtlreg import penalties
from mtlreg.penalties import (
    L1,
    L21,
    BlockLog,
    BlockMCP,
    BlockPower,
    BlockSCAD,
    CappedL1,
    Chain,
    ClusterNorm,
    Coupled,
    Dirty,
    FusedSqrt,
    Graph,
    GraphFused,
    HomogeneousPenalty,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MeanRegularized,
    RowWeighted,
    SparseGroup,
    SpectralBoxNorm,
    SqrtL1Fused,
    SquaredTraceNorm,
    TemporalSmooth,
    TotalVariation,
    TraceBall,
    TraceNorm,
    Transposed,
    TreeGroups,
)
from mtlreg.penalties._base import largest_scale
from mtlreg.testing import check_penalty

INF = float("inf")


def variants(cls, *settings):
    """A row penalty with each of the settings, alone, with a ridge, positive, and both."""
    extras = ({}, {"alpha_ridge": 0.2}, {"positive": True}, {"positive": True, "alpha_ridge": 0.2})
    return [cls(**one, **extra) for one in settings for extra in extras]


# of 11 tasks, without signs of the tasks that make all weights positive
GRAPH = [(0, 1, 1.0), (1, 2, -2.0), (0, 2, 0.5), (2, 3, 1.0), (3, 4, -0.3), (4, 7, 1.0), (7, 8, 1.0), (8, 10, 2.0)]
TREE = [[0, 1, [4, 7]], [[2], [3]], [5, 6, 8, 9], 10]

# weights of the rows of W
ROWS = [3.0, 0.2, 1.0, 1.0, 0.5, 2.0, 0.01, 7.0, 1.5]

CHECKED = {
    "L1": variants(L1, {"alpha": 0.3}),
    "L21": variants(L21, {"alpha": 0.4}),
    "L1Linf": variants(L1Linf, {"alpha": 0.7}),
    "L1Lq": variants(L1Lq, *({"alpha": 0.4, "q": q} for q in (1.0, 1.2, 1.5, 2.0, 3.0, 10.0, INF))),
    "SparseGroup": variants(
        SparseGroup,
        *(
            {"alpha": 0.5, "entry_ratio": ratio, "q": q}
            for ratio, q in [(0.0, 2.0), (0.3, 2.0), (1.0, 2.0), (0.7, INF), (0.5, 1.5), (0.1, 3.0), (0.4, 1.0)]
        ),
    ),
    "InfimalConvolution": [
        InfimalConvolution([("a", L21(2.0)), ("b", L1(0.5))], 0.4),
        InfimalConvolution([("a", L1Linf(2.0)), ("b", L1(0.9))], 0.4),
        InfimalConvolution([("a", L1Linf(2.0, alpha_ridge=0.1)), ("b", L1(0.5, positive=True))], 0.4),
        InfimalConvolution([("a", L21(2.0)), ("b", L1(1.2)), ("c", Transposed(L21(1.5)))]),
        InfimalConvolution([("low_rank", TraceNorm(0.6)), ("outlier", Transposed(L21(0.4)))], 0.4),
        InfimalConvolution([("sparse", L1(0.4)), ("low_rank", TraceBall(5.0))], 0.4),
        InfimalConvolution([("sparse", L1(0.4)), ("clusters", SpectralBoxNorm(alpha_ridge=0.1))], 0.4),
    ],
    "TraceNorm": [TraceNorm(0.4), TraceNorm(0.4, alpha_ridge=0.2)],
    "SquaredTraceNorm": [SquaredTraceNorm(0.4), SquaredTraceNorm(0.4, alpha_ridge=0.2)],
    "SpectralBoxNorm": [
        SpectralBoxNorm(0.4),
        SpectralBoxNorm(0.4, n_clusters=1, shape=0.01),
        SpectralBoxNorm(0.4, n_clusters=3, shape=20.0, alpha_ridge=0.2),
        SpectralBoxNorm(0.4, n_clusters=100),
    ],
    "ClusterNorm": [
        ClusterNorm(0.4),
        ClusterNorm(2.0, n_clusters=1),
        ClusterNorm(0.4, 3, eps_mean=0.5, eps_between=0.3, eps_within=2.0, alpha_ridge=0.2),
    ],
    "TraceBall": [TraceBall(0.5), TraceBall(3.0), TraceBall(1000.0)],
    "Chain": [
        Chain([L1(0.5), L21(1.0)], alpha=0.4),
        Chain([L1Linf(1.0), L1(0.5)], alpha=0.4, alpha_ridge=0.3),
        Chain([L1(0.5, positive=True), L21(1.0, positive=True)], alpha=0.4),
        Chain([L21(0.5)]),
    ],
    "MeanRegularized": [MeanRegularized(0.7), MeanRegularized(0.3, alpha_ridge=0.2)],
    "TemporalSmooth": [TemporalSmooth(0.7), TemporalSmooth(0.3, alpha_ridge=0.2)],
    "Dirty": [Dirty(0.4), Dirty(0.4, ratio=0.8, q=2.0), Dirty(0.4, ratio=0.0), Dirty(0.4, ratio=1.0, q=1.5)],
    "Graph": [
        Graph([(0, 1, 1.0), (1, 2, -0.5)], 0.7),
        Graph({(0, 2): 2.0}, 0.3, alpha_ridge=0.2),
        Graph([(0, 1, 1.0), (1, 2, -0.5)], 0.7, alpha_l1=0.4),
        Graph([], 0.7, alpha_ridge=0.1),
    ],
    "Coupled": [
        Coupled(L21(0.3), TemporalSmooth(0.5)),
        Coupled(SparseGroup(0.6, positive=True), MeanRegularized(0.5, 0.1), alpha=0.5),
        Coupled(InfimalConvolution([("a", L21(0.3)), ("b", L1(0.2))]), MeanRegularized(1.0)),
    ],
    "BlockMCP": [BlockMCP(0.4), BlockMCP(0.4, gamma=1.1), BlockMCP(0.4, gamma=INF)],
    "BlockSCAD": [BlockSCAD(0.4), BlockSCAD(0.4, gamma=2.1), BlockSCAD(0.4, gamma=INF)],
    "CappedL1": [CappedL1(0.4), CappedL1(0.4, theta=0.3), CappedL1(0.4, theta=INF)],
    "BlockLog": [BlockLog(0.4), BlockLog(0.4, epsilon=0.01)],
    "BlockPower": [
        BlockPower(0.4),
        BlockPower(0.4, 0.5, q=1.0),
        BlockPower(0.4, 0.9, q=INF),
        BlockPower(0.4, 0.1, 3.0),
    ],
    "FusedSqrt": [
        FusedSqrt(0.4),
        FusedSqrt(0.4, fused_ratio=0.0),
        FusedSqrt(0.4, 0.8, order=[2, 5, 0, 3, 1, 4, *range(6, 11)]),
    ],
    "SqrtL1Fused": [
        SqrtL1Fused(0.4),
        SqrtL1Fused(0.4, alpha_fused=0.0),
        SqrtL1Fused(0.4, 0.2, order=[2, 5, 0, 3, 1, 4, *range(6, 11)]),
    ],
    "TotalVariation": [
        TotalVariation(0.4),
        TotalVariation(0.4, order=[2, 5, 0, 3, 1, 4, *range(6, 11)]),
        TotalVariation(0.4, alpha_ridge=0.2),
        TotalVariation(0.4, alpha_ridge=0.2, positive=True),
        Chain([TotalVariation(0.4), L1(0.3), L21(0.5)], alpha=0.7),
        Chain([TotalVariation(0.4, positive=True), L1Linf(0.5, positive=True)], alpha=0.7),
        Chain([TotalVariation(0.4), L1(0.0)]),
    ],
    "GraphFused": [
        GraphFused(0.4, GRAPH),
        GraphFused(0.4, GRAPH, fused_ratio=0.8, alpha_ridge=0.1),
        GraphFused(0.4, GRAPH, fused_ratio=1.0),
        GraphFused(0.4, [(0, 1, 1.0), (1, 2, 2.0), (0, 2, 1.0)], fused_ratio=1.0),
        GraphFused(0.4, [(0, 1, 1.0), (2, 1, -2.0)]),
        GraphFused(0.4, [], fused_ratio=0.3),
    ],
    "TreeGroups": [
        TreeGroups(0.4, TREE),
        TreeGroups(0.4, [({0, 1}, 0.5), ({0}, 0.3), (range(11), 0.7), ({3}, 0.0)], alpha_ridge=0.1),
        Chain([L1(0.3), TreeGroups(0.4, TREE)], alpha=0.7),
    ],
    "Transposed": [
        Transposed(L21(0.4)),
        Transposed(SpectralBoxNorm(0.4)),
        Transposed(SparseGroup(0.4, positive=True, alpha_ridge=0.1)),
    ],
    "RowWeighted": [
        RowWeighted(L1(0.3), ROWS),
        RowWeighted(L21(0.4), np.array(ROWS), 0.7, alpha_ridge=0.2),
        RowWeighted(L1Lq(0.4, q=3.0, positive=True), ROWS),
        RowWeighted(SparseGroup(0.4), ROWS),
        RowWeighted(TotalVariation(0.4), ROWS),
        RowWeighted(TotalVariation(0.4, positive=True), ROWS, alpha_ridge=0.2),
        RowWeighted(GraphFused(0.4, GRAPH), ROWS),
        RowWeighted(TreeGroups(0.4, TREE), ROWS, alpha_ridge=0.2),
        Chain([RowWeighted(L1(0.3), ROWS), L21(0.5)], alpha=0.7),
        Chain([("jumps", RowWeighted(TotalVariation(0.4), ROWS[::-1])), RowWeighted(L1(0.3), ROWS)], alpha_ridge=0.1),
        Chain([RowWeighted(TotalVariation(0.4, positive=True), ROWS), L1(0.3, positive=True)]),
        Chain([TotalVariation(0.4), RowWeighted(L1(1.0), ROWS, 0.0)]),
    ],
}
ABSTRACT = {"Penalty", "HomogeneousPenalty"}


def test_every_public_penalty_is_checked():
    assert set(penalties.__all__) == set(CHECKED) | ABSTRACT
    assert all(type(one).__name__ in (name, "Chain") for name, some in CHECKED.items() for one in some)


# those with a weight for every row want so many rows
SIZED = [(p, len(ROWS) if name == "RowWeighted" else None) for name, some in CHECKED.items() for p in some]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("penalty", "n_rows"), SIZED, ids=lambda p: " ".join(repr(p).split()))
def test_check_penalty(penalty, n_rows):
    for shape in ((n_rows, 4), (n_rows, 1)) if n_rows else (None,):
        check_penalty(penalty, shape)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize(("penalty", "n_rows"), SIZED, ids=lambda p: " ".join(repr(p).split()))
def test_check_penalty_further(penalty, n_rows, seed):
    check_penalty(penalty, (n_rows or 30, 11), seed)


# -- a penalty of one's own ---------------------------------------------------------------------------------------


class Smallest(HomogeneousPenalty):
    """``alpha max_jt |W_jt|``: what a user writes; conjugate, feasible scale and alpha_max are inherited."""

    def __init__(self, alpha=1.0, alpha_ridge=0.0):
        self.alpha = alpha
        self.alpha_ridge = alpha_ridge

    def norm_value(self, W):
        from array_api_compat import array_namespace

        xp = array_namespace(W)
        return float(self.alpha) * float(xp.max(xp.abs(W)))

    def norm_prox(self, W, step):
        from array_api_compat import array_namespace

        xp = array_namespace(W)
        return xp.reshape(L1Linf(self.alpha).prox(xp.reshape(W, (1, -1)), step), W.shape)


@pytest.mark.parametrize("alpha_ridge", [0.0, 0.5])
def test_inherited_rules(alpha_ridge):
    check_penalty(Smallest(0.7, alpha_ridge))


# -- equal penalties ----------------------------------------------------------------------------------------------

EQUAL = [
    (L1Lq(0.6, q=1.0), L1(0.6)),
    (L1Lq(0.6, q=2.0), L21(0.6)),
    (L1Lq(0.6, q=INF), L1Linf(0.6)),
    (SparseGroup(0.6, entry_ratio=0.0, q=3.0), L1Lq(0.6, q=3.0)),
    (SparseGroup(0.6, entry_ratio=1.0, q=3.0), L1(0.6)),
    (Chain([L1(0.5), L21(0.5)], alpha=0.6), SparseGroup(0.6, entry_ratio=0.5)),
    (Chain([L21(0.25), L1(0.75)], alpha=0.6, alpha_ridge=0.2), SparseGroup(0.6, entry_ratio=0.75, alpha_ridge=0.2)),
    (Chain([L1Linf(1.0)], alpha=0.6), L1Linf(0.6)),
    (Transposed(L1(), 0.6), L1(0.6)),
    (Transposed(TraceNorm(), 0.6), TraceNorm(0.6)),
    (Transposed(Transposed(L21()), 0.6), L21(0.6)),
    (RowWeighted(L21(2.0), [0.5] * 8, 0.6), L21(0.6)),
    (RowWeighted(RowWeighted(L1(), ROWS[:8]), [2.0] * 8, 0.6), RowWeighted(L1(2.0), ROWS[:8], 0.6)),
    (Chain([RowWeighted(L1(2.0), [0.5] * 8), L21(0.5)], alpha=0.6), Chain([L1(), L21(0.5)], alpha=0.6)),
]


@pytest.mark.parametrize(("one", "other"), EQUAL, ids=lambda p: " ".join(repr(p).split()))
def test_equal_penalties(one, other):
    rng = np.random.default_rng(0)
    W = rng.standard_normal((8, 5))
    assert_allclose(one.value(W), other.value(W), rtol=1e-14)
    assert_allclose(one.prox(W, 0.9), other.prox(W, 0.9), rtol=1e-12, atol=1e-15)
    assert_allclose(one.feasible_scale(3 * W), other.feasible_scale(3 * W), rtol=1e-9)
    assert_allclose(one.alpha_max(W), other.alpha_max(W), rtol=1e-9)
    assert_allclose(one.conjugate(0.01 * W), other.conjugate(0.01 * W), rtol=1e-12, atol=1e-15)


def test_transposed_acts_on_columns():
    W = np.array([[3.0, 0.0], [4.0, 1.0]])
    assert Transposed(L21(2.0)).value(W) == 12.0
    assert_allclose(Transposed(L21(2.0)).prox(W, 0.5), [[2.4, 0], [3.2, 0]])
    assert Transposed(L21(2.0)).row_kernels() == ()


def test_infimal_convolution_is_the_best_split():
    dirty = InfimalConvolution([("shared", L1Linf(2.0)), ("specific", L1(1.0))], alpha=0.5)
    assert dirty.part_names == ("shared", "specific")
    x = np.array([[[1.0, 1.0, 1.0]], [[0.0, 0.0, 3.0]]])
    assert dirty.value(x) == 0.5 * (2.0 + 3.0)
    G = np.array([[1.0, -2.0, 0.5]])
    assert dirty.alpha_max(G) == max(L1Linf().alpha_max(G) / 2, L1().alpha_max(G))
    assert dirty.feasible_scale(4 * G) == min(L1Linf(1.0).feasible_scale(4 * G), L1(0.5).feasible_scale(4 * G))


def test_order_of_a_chain_does_not_matter():
    W = np.random.default_rng(0).standard_normal((6, 4))
    assert_array_equal(Chain([L1(), L21()]).prox(W, 0.3), Chain([L21(), L1()]).prox(W, 0.3))


# -- without strength ----------------------------------------------------------------------------------------------

NULL = [
    *(L1(0.0), L1Lq(0.0, q=3.0), Chain([L1(), L21()], alpha=0.0), Transposed(L1(), 0.0)),
    *(TraceNorm(0.0), SquaredTraceNorm(0.0), SpectralBoxNorm(0.0), ClusterNorm(0.0)),
]


@pytest.mark.parametrize("penalty", NULL)
def test_null(penalty):
    assert penalty.null
    W = np.ones((3, 2))
    assert penalty.value(W) == 0
    assert_allclose(penalty.prox(W, 1.0), W, rtol=1e-14)
    assert (penalty.feasible_scale(W), penalty.feasible_scale(0 * W)) == (0, 1)
    assert (penalty.conjugate(W), penalty.conjugate(0 * W)) == (INF, 0)
    assert not penalty.with_alpha(1.0).null


def test_largest_scale_is_safe():
    for limit in (1e-12, 0.3, 0.99999, 1.0):
        scale = largest_scale(lambda s, limit=limit: s <= limit)
        assert limit * (1 - 1e-14) <= scale <= limit
    assert largest_scale(lambda s: True) == 1.0
    assert largest_scale(lambda s: s == 0) < 1e-50
