"""Penalties: the public check on all of them, and what it cannot know."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

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
    Graph,
    GraphFused,
    HomogeneousPenalty,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MeanRegularized,
    Penalty,
    RowWeighted,
    SparseGroup,
    SpectralBoxNorm,
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


@pytest.mark.parametrize(("penalty", "n_rows"), SIZED, ids=lambda p: " ".join(repr(p).split()))
def test_check_penalty(penalty, n_rows):
    for shape in ((n_rows, 4), (n_rows, 1)) if n_rows else (None,):
        check_penalty(penalty, shape)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize(("penalty", "n_rows"), SIZED, ids=lambda p: " ".join(repr(p).split()))
def test_check_penalty_further(penalty, n_rows, seed):
    check_penalty(penalty, (n_rows or 30, 11), seed)


# -- the check finds what is wrong --------------------------------------------------------------------------------


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


# -- parameters ---------------------------------------------------------------------------------------------------


def test_nested_parameters():
    penalty = Transposed(SparseGroup(0.5, entry_ratio=0.2))
    penalty.set_params(penalty__alpha=0.7, penalty__q=3.0)
    assert (penalty.penalty.alpha, penalty.penalty.q) == (0.7, 3.0)
    assert clone(penalty).get_params()["penalty__alpha"] == 0.7
    assert penalty.with_alpha(2.0).alpha == 2.0
    assert penalty.alpha == 1.0


def dirty():
    return InfimalConvolution([("shared", L1Linf(1.6)), ("specific", L1(1.0))], alpha=0.1)


def test_parameters_of_named_parts():
    penalty = dirty()
    parts = penalty.parts
    assert set(penalty.get_params(deep=False)) == {"alpha", "parts"}
    params = penalty.get_params()
    assert params["shared"] is parts[0][1]
    assert (params["shared__alpha"], params["specific__positive"]) == (1.6, False)
    penalty.set_params(shared__alpha=3.0, alpha=0.2)
    assert penalty.parts is parts
    assert (penalty.alpha, penalty.parts[0][1].alpha) == (0.2, 3.0)
    penalty.set_params(specific=L21(), specific__alpha=0.4)
    assert repr(penalty.parts) == "[('shared', L1Linf(alpha=3.0)), ('specific', L21(alpha=0.4))]"
    assert isinstance(parts[1][1], L1)  # the list that was given is as it was
    penalty.set_params(parts=[("a", L1()), ("b", L21())], a__alpha=0.5)
    assert penalty.part_names == ("a", "b")
    assert penalty.parts[0][1].alpha == 0.5
    with pytest.raises(ValueError, match="Invalid parameter 'shared'"):
        penalty.set_params(shared__alpha=1.0)


def test_a_clone_has_parts_of_its_own():
    penalty = dirty()
    copied = clone(penalty).set_params(shared__alpha=9.0)
    assert penalty.parts[0][1].alpha == 1.6
    assert copied.get_params()["shared__alpha"] == 9.0


def test_parts_of_a_chain_are_called_by_their_classes():
    plain = Chain([L1(0.5), L21(1.0)], alpha=0.4)
    named = Chain([("entries", L1(0.5)), L21(1.0)], alpha=0.4)
    assert plain.get_params()["l1__alpha"] == named.get_params()["entries__alpha"] == 0.5
    check_penalty(named)
    plain.set_params(l1__alpha=0.7, l21=L1Linf(2.0))
    named.set_params(entries__alpha=0.7, l21=L1Linf(2.0))
    plain.check()
    W = np.random.default_rng(0).standard_normal((5, 3))
    assert plain.value(W) == named.value(W) == Chain([L1(0.7), L1Linf(2.0)], alpha=0.4).value(W)
    assert InfimalConvolution([("a", plain), ("b", L1())]).get_params()["a__l1__alpha"] == 0.7


@pytest.mark.parametrize("bad", [{"a": L1()}, [L1()], [("a", L1(), 2)], None, 3, [(L1(), "a")]])
def test_bad_parts_can_be_shown_and_replaced(bad):
    penalty = InfimalConvolution(bad)
    assert "InfimalConvolution(" in repr(penalty)
    assert set(penalty.get_params()) == {"alpha", "parts"}
    assert not penalty.constrained
    penalty.set_params(parts=dirty().parts, shared__alpha=2.0).check()


@pytest.mark.parametrize(
    ("penalty", "constrained"),
    [
        (L1(), False),
        (L21(positive=True), True),
        (Transposed(L21(positive=True)), True),
        (Transposed(L21()), False),
        (dirty(), False),
        (InfimalConvolution([("a", L21()), ("b", L1(positive=True))]), True),
        (Chain([L1(positive=True), L21(positive=True)]), True),
        (Chain([L1(), L21()]), False),
    ],
    ids=lambda a: " ".join(repr(a).split()) if isinstance(a, Penalty) else None,
)
def test_constrained(penalty, constrained):
    assert penalty.constrained is constrained


@pytest.mark.parametrize(
    ("penalty", "error", "message"),
    [
        (L1(-1.0), ValueError, r"alpha must be in \[0.0, inf\)"),
        (L1(INF), ValueError, r"L1\(alpha=inf\): alpha must be in \[0.0, inf\)"),
        (L1(float("nan")), ValueError, "alpha must be in"),
        (L1("1"), TypeError, "alpha must be a number"),
        (L21(True), TypeError, "alpha must be a number"),
        (L21(None), TypeError, "alpha must be a number"),
        (L21(np.array([0.1, 0.2])), TypeError, "alpha must be a number, got ndarray"),
        (L21(np.array([0.1])), TypeError, "alpha must be a number, got ndarray"),
        (L21(1.0, alpha_ridge=-0.1), ValueError, "alpha_ridge must be in"),
        (L21(1.0, alpha_ridge=INF), ValueError, "alpha_ridge must be in"),
        (L21(1.0, alpha_ridge=float("nan")), ValueError, "alpha_ridge must be in"),
        (Chain([L1()], alpha_ridge=INF), ValueError, "alpha_ridge must be in"),
        (InfimalConvolution([("a", L1()), ("b", L21(INF))]), ValueError, r"L21\(alpha=inf\)"),
        (L21(1.0, positive=1), TypeError, "positive must be True or False"),
        (L21(0.0, positive=True), ValueError, "no certificate"),
        (L1Lq(1.0, q=0.5), ValueError, r"q must be in \[1.0, inf\]"),
        (L1Lq(1.0, q="2"), TypeError, "q must be a number"),
        (SparseGroup(1.0, entry_ratio=1.5), ValueError, r"entry_ratio must be in \[0.0, 1.0\]"),
        (InfimalConvolution([("a", L1())]), ValueError, "at least two"),
        (InfimalConvolution([("a", L1()), ("a", L21())]), ValueError, "not distinct"),
        (InfimalConvolution([("a", L1()), ("b", L21())], alpha=0.0), ValueError, "give alpha > 0"),
        (InfimalConvolution([("a", L1()), ("b", L21(0.0))]), ValueError, "'b' has alpha=0"),
        (InfimalConvolution([("a", L1()), ("b", 3)]), TypeError, "'b' is not a Penalty"),
        (InfimalConvolution([("a", L1()), ("b", CHECKED["InfimalConvolution"][0])]), ValueError, "itself a compound"),
        (InfimalConvolution([L1(0.1), L21(0.1)]), TypeError, r"a \(name, penalty\) pair .*entry 0 is L1\(alpha=0.1\)"),
        (InfimalConvolution({"a": L1(), "b": L21()}), TypeError, r"list with a \(name, penalty\) pair .*got dict"),
        (InfimalConvolution([("a", L1()), ("b", L21(), 1.0)]), TypeError, "pair .*entry 1"),
        (InfimalConvolution([(L1(), "a"), (L21(), "b")]), TypeError, "pair .*entry 0"),
        (InfimalConvolution([("alpha", L1()), ("b", L21())]), ValueError, "'alpha' cannot name a part.*none of"),
        (InfimalConvolution([("a", L1()), ("parts", L21())]), ValueError, "'parts' cannot name a part"),
        (InfimalConvolution([("a__b", L1()), ("b", L21())]), ValueError, "'a__b' cannot name a part.*without '__'"),
        (Chain(L1()), TypeError, "list with a penalty or .*got L1"),
        (Chain({"a": L1()}), TypeError, "list with a penalty or .*got dict"),
        (Chain([L1(), 3]), TypeError, "penalty or .*entry 1 is 3"),
        (Chain([("a", 3)]), TypeError, "no place in a chain"),
        (Chain([("alpha_ridge", L1())]), ValueError, "'alpha_ridge' cannot name a part"),
        (Chain([("a", L1()), ("a", L21())]), ValueError, "not distinct"),
        (Transposed(InfimalConvolution([L1(), L21()])), TypeError, "pair .*entry 0"),
        (Chain([]), ValueError, "at least one"),
        (Chain([L1(), L1()]), ValueError, "do not compose"),
        (Chain([L21(), L1Linf()]), ValueError, "do not compose"),
        (Chain([L21(alpha_ridge=0.1), L1()]), ValueError, "ridge of its own"),
        (Chain([L21(), Transposed(L21())]), TypeError, "no place in a chain"),
        (Chain([L21(), L1(positive=True)]), ValueError, "differ in positive"),
        (Chain([L21(), L1(-1.0)]), ValueError, "alpha must be in"),
        (Chain([L21(positive=True)], alpha=0.0), ValueError, "no certificate"),
        (Chain([L21(0.0)]), ValueError, "every part has alpha=0"),
        (TraceNorm(-1.0), ValueError, "alpha must be in"),
        (TraceNorm(alpha_ridge=-1.0), ValueError, "alpha_ridge must be in"),
        (SquaredTraceNorm(INF), ValueError, "alpha must be in"),
        (SpectralBoxNorm(n_clusters=0), ValueError, "n_clusters must be at least 1"),
        (SpectralBoxNorm(n_clusters=2.0), TypeError, "n_clusters must be an integer, got float"),
        (SpectralBoxNorm(n_clusters=True), TypeError, "n_clusters must be an integer"),
        (SpectralBoxNorm(shape=0.0), ValueError, r"shape must be in \(0.0, inf\)"),
        (SpectralBoxNorm(shape=INF), ValueError, "shape must be in"),
        (ClusterNorm(n_clusters=0), ValueError, r"ClusterNorm\(n_clusters=0\): n_clusters must be at least 1"),
        (ClusterNorm(eps_mean=0.0), ValueError, r"eps_mean must be in \(0.0, inf\)"),
        (ClusterNorm(eps_between="1"), TypeError, "eps_between must be a number"),
        (ClusterNorm(eps_within=0.1), ValueError, "give eps_within > eps_between"),
        (TraceBall(0.0), ValueError, r"radius must be in \(0.0, inf\)"),
        (TraceBall(INF), ValueError, "radius must be in"),
        (TraceBall(None), TypeError, "radius must be a number"),
        (InfimalConvolution([("a", L1()), ("b", TraceBall(-1.0))]), ValueError, "radius must be in"),
        (Chain([L1(), TraceNorm()]), TypeError, "no place in a chain"),
        (Transposed(3), TypeError, "needs a plain Penalty"),
        (Transposed(CHECKED["InfimalConvolution"][0]), TypeError, "needs a plain Penalty"),
        (Transposed(L1(-1.0)), ValueError, "alpha must be in"),
    ],
    ids=lambda a: " ".join(repr(a).split()) if isinstance(a, Penalty) else None,
)
def test_check_names_the_parameter(penalty, error, message):
    with pytest.raises(error, match=message):
        penalty.check()


def test_numpy_scalars_are_numbers():
    for alpha in (np.float32(0.5), np.float64(0.5), np.int64(1), 1):
        penalty = L1Lq(alpha, q=np.float64(3.0))
        penalty.check()
        assert penalty.prox(np.ones((2, 3), np.float32), 0.1).dtype == np.float32


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
