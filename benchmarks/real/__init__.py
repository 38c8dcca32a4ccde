"""Which sharing helps on real data: `python -m benchmarks.real --help`.

The data stand in a folder of their own, named by the environment variable MTLREG_DATA; no row of them is kept here.
"""
