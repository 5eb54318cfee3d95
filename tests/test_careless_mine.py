"""A file of yours that goes wrong, in the many ways of a beginner: one line that says where, and no run."""
import pathlib

import numpy as np
import pytest
import torch
from tiny import FLAGS, make_home, refused

from minigpt import bridge
from minigpt.__main__ import main

BEGIN = "minigpt: error: --mine "
FORWARD = "import numpy as np\ndef softmax_forward(x):\n    e = np.exp(x)\n    y = e / e.sum(-1, keepdims=True)\n"
BACKWARD = "def softmax_backward(dy, y):\n    return y * (dy - (dy * y).sum(-1, keepdims=True))\n"
WHOLE = FORWARD + "    return y, y\n" + BACKWARD


@pytest.fixture
def home(tmp_path, monkeypatch):
    return make_home(tmp_path, monkeypatch)


def train(capsys, code, file="mine.py"):
    """The line with which a file is refused, and that it left no run behind."""
    pathlib.Path(file).write_text(code)
    line = refused(["train", "--text", "my.txt", "--out", "out", *FLAGS, "--mine", file], capsys)
    assert line.startswith(BEGIN)
    assert not pathlib.Path("out").exists()
    return line.removeprefix(BEGIN)


@pytest.mark.parametrize(("code", "says"), [
    ("def softmax(x):\n    x.softmax(-1)\n", "softmax returned NoneType, where ours returns a tensor (4, 2, 8, 8)"),
    ("def softmax(x):\n    return x[..., :1]\n", "softmax returned a tensor (4, 2, 8, 1), where ours returns a tensor "
                                                "(4, 2, 8, 8)"),
    ("def softmax(x):\n    return x.detach().numpy()\n", "softmax returned ndarray, where ours returns a tensor"),
    ("def softmax(x):\n    yield x\n", "softmax returned generator, where ours"),
    ("def cross_entropy(logits, targets, ignore_index=-100):\n    return 5.0\n", "cross_entropy returned float, where"),
    ("def softmax(x):\n    return x.softmax(-1) * float('nan')\n", "softmax returned NaN or infinity, where ours"),
    (FORWARD + "    return np.nan * y, y\n" + BACKWARD, "softmax returned NaN or infinity, where ours"),
    ("def softmax(x):\n    return x.double().softmax(-1)\n", "RuntimeError: expected "),
    ("def attention(q, k, v):\n    return v\n", "TypeError: attention() got an unexpected keyword argument"),
    (WHOLE.replace("return y *", "return np.nan * y *"), "the gradient became nan"),
    (WHOLE.replace("    e =", "    x -= 1\n    e ="), "line 3: ValueError: "),
    (WHOLE.replace("    return y *", "    dy *= 2\n    return y *"), "line 7: ValueError: "),
])
def test_a_function_that_the_model_cannot_use(home, capsys, code, says):
    line = train(capsys, code)
    assert "mine.py" in line
    assert says in line


@pytest.mark.parametrize(("code", "says"), [
    ("import nothing_of_that_name\n", "mine.py, line 1: ModuleNotFoundError"),
    ("x = 1\n1 / 0\n", "mine.py, line 2: ZeroDivisionError"),
    ("import sys\nsys.exit(3)\n", "mine.py, line 2: SystemExit: 3"),
    ("x = 1\0\n", "mine.py: SyntaxError: source code string cannot contain null bytes"),
    ("import sys\ndef softmax(x):\n    sys.exit(5)\n", "mine.py, line 3: SystemExit: 5"),
])
def test_a_file_that_does_not_run_is_named_with_the_line(home, capsys, code, says):
    assert says in train(capsys, code)


@pytest.mark.parametrize("code", [FORWARD + "    return y, y\n", BACKWARD])
def test_half_a_pair_is_never_left_out_in_silence(home, capsys, code):
    assert "softmax_forward and softmax_backward belong together" in train(capsys, code)


def test_half_a_pair_beside_a_whole_one_is_announced(home, capsys):
    pathlib.Path("mine.py").write_text(WHOLE + "def gelu_forward(x):\n    return x, x\n")
    assert main(["train", "--text", "my.txt", "--out", "out", *FLAGS, "--mine", "mine.py"]) == 0
    assert "ours is used where yours is half a pair: gelu_forward" in capsys.readouterr().out


def test_a_name_that_is_nearly_right_gets_a_suggestion(home, capsys):
    assert "did you mean softmax_forward?" in train(capsys, WHOLE.replace("softmax", "sofmax"))


def test_what_a_pair_is_given_cannot_be_written_to():
    def forward(x):
        x[0] = 7
        return x, None
    with pytest.raises(ValueError, match="read-only"):
        bridge.from_numpy(forward, None)(torch.zeros(3))


def test_what_a_pair_returns_is_the_models_own():
    kept = np.zeros(3)
    y = bridge.from_numpy(lambda x: (kept, None), None)(torch.zeros(3))
    y += 1
    assert not kept.any()
