"""The student's own file: found by name, judged by `pytest --mine`, and its mistakes said in a line."""
import pathlib
import subprocess
import sys

import pytest

import minigpt
from minigpt.errors import InputError
from minigpt.mine import load_mine, mine_op, replacements
from minigpt.softmax import softmax

ROOT = pathlib.Path(__file__).parents[1]
RIGHT = """
import numpy as np
from minigpt.reference.layer_norm import layer_norm_forward

def softmax_forward(x):
    m = x.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(x - np.where(np.isinf(m), 0, m))
    total = e.sum(axis=-1, keepdims=True)
    y = e / np.where(total == 0, 1, total)
    return y, y

def softmax_backward(dy, y):
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))
"""


def written(tmp_path, text, name="mine.py"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_only_what_the_file_defines_is_the_students(tmp_path):
    mine = load_mine(written(tmp_path, RIGHT))
    assert set(mine) == {"softmax_forward", "softmax_backward"}
    assert set(replacements(mine)) == {"softmax"}


def test_a_numpy_pair_stands_in_for_the_torch_function(tmp_path):
    import torch
    x = torch.randn(3, 5, dtype=torch.float64)
    with minigpt.use(**replacements(load_mine(written(tmp_path, RIGHT)))):
        torch.testing.assert_close(softmax(x), torch.softmax(x, -1))


def test_a_torch_function_is_found_too(tmp_path):
    path = written(tmp_path, "import torch\ndef softmax(x):\n    return torch.softmax(x, -1)\n")
    assert mine_op(load_mine(path), "softmax").is_torch


def test_a_room_with_names_of_its_own_is_found(tmp_path):
    path = written(tmp_path, "def clip_gradients(gradients, max_norm):\n    return gradients, 0.0\n")
    assert mine_op(load_mine(path), "optimisers").functions
    assert mine_op(load_mine(path), "softmax") is None


def test_a_folder_is_read_whole(tmp_path):
    written(tmp_path, RIGHT, "softmax.py")
    written(tmp_path, "def gelu(x):\n    return x\n", "gelu.py")
    assert {"softmax_forward", "gelu"} <= set(load_mine(tmp_path))


@pytest.mark.parametrize(("text", "says"), [
    ("def sofmax(x): return x", "defines none of"),
    ("def softmax(x:", "line 1"),
    ("1 / 0", "ZeroDivisionError"),
])
def test_a_file_that_does_not_help_is_refused_in_one_line(tmp_path, text, says):
    with pytest.raises(InputError, match=says) as error:
        load_mine(written(tmp_path, text))
    assert "\n" not in str(error.value)


def test_a_missing_file_is_refused():
    with pytest.raises(InputError, match="no such file"):
        load_mine("nowhere.py")


@pytest.mark.slow
def test_training_with_functions_of_yours_needs_nothing_that_only_tests_need():
    code = "import sys, minigpt.mine; print({'hypothesis', 'pytest'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "set()"


def pytest_mine(path):
    command = [sys.executable, "-m", "pytest", f"--mine={path}", "tests/test_softmax.py", "tests/test_gelu.py"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_pytest_mine_passes_a_right_file_and_runs_its_contracts_only(tmp_path):
    done = pytest_mine(written(tmp_path, RIGHT))
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
    assert "gelu" not in done.stdout


@pytest.mark.slow
def test_pytest_mine_refuses_a_file_that_does_not_run_in_one_line(tmp_path):
    done = pytest_mine(written(tmp_path, "def softmax_forward(x:"))
    assert done.returncode == 4
    said = (done.stdout + done.stderr).strip().splitlines()
    assert len(said) == 1
    assert "line 1: SyntaxError" in said[0]


@pytest.mark.slow
def test_pytest_mine_fails_a_wrong_file(tmp_path):
    done = pytest_mine(written(tmp_path, RIGHT.replace("y * (dy", "(dy")))
    assert done.returncode == 1
    assert "test_a_worked_example[mine]" in done.stdout
