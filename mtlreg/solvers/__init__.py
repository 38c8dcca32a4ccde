"""Solvers: one driver, `solve`, and one file a method."""

from mtlreg.solvers._base import Solution, State, solve

__all__ = ["Solution", "State", "solve"]
