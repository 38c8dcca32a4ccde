"""For all tests: what libraries read when they are first imported, and which tests make up the short run.

SciPy's setting is asked for by scikit-learn's array API dispatch; and there are as many workers as cores.
"""

import os
from zlib import crc32

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SCIPY_ARRAY_API", "1")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of a test marked ``sampled(k)`` one in k of its parameters stays, always the same; the others become slow."""
    for item in items:
        sampled = item.get_closest_marker("sampled")
        if sampled is not None and crc32(item.name.encode()) % sampled.args[0]:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=["array_api_strict", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request, monkeypatch):
    """A library whose arrays stay there: CuPy, or one as unwilling; scikit-learn takes them."""
    import array_api_strict
    from cuda import cupy_or_skip
    from sklearn import config_context
    from stand_in import refuse_conversion

    if request.param == "array_api_strict":
        refuse_conversion(monkeypatch)
    with config_context(array_api_dispatch=True):
        yield array_api_strict if request.param == "array_api_strict" else cupy_or_skip()
