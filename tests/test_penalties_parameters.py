"""Parameters of penalties: names, parts, clones, and what is refused."""

import numpy as np
import pytest
from sklearn.base import clone
from test_penalties import CHECKED, INF

from mtlreg.penalties import (
    L1,
    L21,
    Chain,
    ClusterNorm,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    Penalty,
    SparseGroup,
    SpectralBoxNorm,
    SquaredTraceNorm,
    TraceBall,
    TraceNorm,
    Transposed,
)
from mtlreg.testing import check_penalty


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
