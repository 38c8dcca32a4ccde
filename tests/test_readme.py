"""The code in README.md runs as it stands, block after block, and says what its comments say."""

import re
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(scope="module")
def namespace():
    names, states = {}, []
    for block in re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.S):
        exec(compile(block, str(README), "exec"), names)
        states.append(dict(names))
    return states


def test_task_column_uses_hours_only(namespace):
    frame = namespace[0]["model"].coef_frame()
    assert list(frame.index) == ["north", "south", "west"]
    assert list(frame.columns[frame.any().to_numpy()]) == ["hours"]


def test_missing_labels_find_the_support(namespace):
    model = namespace[1]["model"]
    np.testing.assert_array_equal(np.flatnonzero(model.coef_.any(axis=0)), [0, 1, 2])


def test_search_has_a_best_candidate(namespace):
    assert namespace[2]["search"].best_score_ > 0.9


def test_path_search_keeps_most_of_the_score(namespace):
    search = namespace[3]["search"]
    assert set(search.best_params_) == {"alpha"}
    assert search.best_score_ > 0.9


def test_mixed_losses_predict_means(namespace):
    mean = namespace[4]["mean"]
    assert mean.shape == (80, 3)
    assert (0 < mean[:, 1]).all() and (mean[:, 1] < 1).all() and (mean[:, 2] > 0).all()


def test_certificate_is_reached(namespace):
    assert namespace[5]["model"].converged_


def test_commands_stand_in_the_readme():
    text = README.read_text()
    assert 'pip install ".[plot,data]" && python -m mtlreg\n' in text
    assert 'pip install -e ".[test]" && pytest\n' in text
