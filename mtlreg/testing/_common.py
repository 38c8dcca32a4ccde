"""What the checks share: comparisons, arguments that must stay untouched, a second array library."""

from __future__ import annotations

import numpy as np

try:
    import array_api_strict
except ImportError:  # then NumPy alone is checked
    array_api_strict = None  # type: ignore[assignment]

__all__ = ["array_api_strict", "assert_close", "check_untouched", "read_only", "require", "same_elsewhere"]


def require(condition, message):
    """Raise an AssertionError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise AssertionError(message)


def assert_close(actual, wanted, tolerance, message):
    """Raise unless ``|actual - wanted| <= tolerance * max(1, |wanted|)`` everywhere; inf only with inf."""
    actual, wanted = np.asarray(actual, dtype=float), np.asarray(wanted, dtype=float)
    require(actual.shape == wanted.shape, f"{message}: shape {actual.shape} instead of {wanted.shape}")
    finite = np.isfinite(actual) & np.isfinite(wanted)
    require(bool(np.all(finite | (actual == wanted))), f"{message}: {actual} instead of {wanted}")
    actual, wanted = np.where(finite, actual, 0), np.where(finite, wanted, 0)
    worst = float(np.max(np.abs(actual - wanted) / np.maximum(1, np.abs(wanted)), initial=0))
    require(worst <= tolerance, f"{message}: off by {worst:.3g} (relative, allowed {tolerance:.3g})")


def read_only(a, order="C"):
    """A copy that cannot be written to."""
    a = np.array(a, order=order)
    a.flags.writeable = False
    return a


def check_untouched(function, arrays, message):
    """Raise if ``function`` writes to its arguments."""
    try:
        function(*(read_only(a) for a in arrays))
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise AssertionError(f"{message}: an argument is written to") from error


def same_elsewhere(function, arrays, tolerance, message):
    """Raise unless ``function`` of ``array_api_strict`` arrays gives what it gives of NumPy arrays."""
    if array_api_strict is None:
        return
    try:
        there = function(*(array_api_strict.asarray(a) for a in arrays))
    except Exception as error:
        raise AssertionError(f"{message}: fails on array_api_strict: {error!r}") from error
    here = function(*arrays)
    for one, other in zip(there, here, strict=True):
        foreign = isinstance(one, type(array_api_strict.asarray(0.0)))
        require(foreign or np.ndim(other) == 0, f"{message}: array_api_strict in, {type(one).__name__} out")
        assert_close(np.asarray(one), other, tolerance, f"{message}: array_api_strict and NumPy differ")
