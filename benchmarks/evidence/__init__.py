"""Statistical evidence on synthetic data: `python -m benchmarks.evidence --help`.

Each study draws data that a paper or its theory speaks of, and says whether what is claimed there is seen.
"""
