"""Sparse matrices only."""
