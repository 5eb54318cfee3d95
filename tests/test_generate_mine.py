"""`generate --mine`: the student's functions stand in while a model writes."""
import pathlib

import pytest
from tiny import make_run, refused

from minigpt.__main__ import main

GREEDY = "import torch\ndef sample(p, u):\n    return p.argmax(-1)\n"
HALVES = "def softmax_forward(x):\n    return x, x\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return str(make_run(tmp_path_factory.mktemp("run")))


@pytest.fixture
def generate(finished, tmp_path, monkeypatch):
    """generate(code) -> the arguments that let the model of a run write with this code."""
    monkeypatch.chdir(tmp_path)

    def arguments(code, *more):
        pathlib.Path("mine.py").write_text(code)
        return ["generate", "--model", finished, "--prompt", "men", "--seed", "1", "--max-new-tokens", "12", "--mine",
                "mine.py", *more]
    return arguments


def test_your_choice_of_tokens_is_the_one_that_is_written(generate, finished, capsys):
    assert main(generate(GREEDY)) == 0
    mine = capsys.readouterr()
    main(["generate", "--model", finished, "--prompt", "men", "--max-new-tokens", "12", "--temperature", "0"])
    assert mine.out == capsys.readouterr().out


def test_yours_is_announced_beside_the_text_and_not_in_it(generate, capsys):
    more = "def gelu(x):\n    return x\ndef softmax(x):\n    return torch.softmax(x, -1)\n"
    assert main(generate(GREEDY + more)) == 0
    out, err = capsys.readouterr()
    assert out.startswith("men")
    first, second = err.splitlines()
    assert first.split(" of ")[0] == "2"
    assert first.endswith(" parts of this model are yours: sample, softmax")
    assert second == "not called by this model, or only inside another part of yours: gelu"


def test_a_numpy_pair_writes_what_ours_writes(generate, finished, capsys):
    pair = ("from minigpt.reference.softmax import softmax_forward as forward, softmax_backward as backward\n"
            "def softmax_forward(x):\n    return forward(x)\ndef softmax_backward(dy, cache):\n"
            "    return backward(dy, cache)\n")
    assert main(generate(pair, "--n", "2")) == 0
    mine = capsys.readouterr().out
    main(["generate", "--model", finished, "--prompt", "men", "--seed", "1", "--max-new-tokens", "12", "--n", "2"])
    assert mine == capsys.readouterr().out


@pytest.mark.parametrize(("code", "says"), [
    ("def gelu(x):\n    return x\n", "none of gelu is called by this model; it calls "),
    ("def cross_entropy(logits, targets):\n    return 0\n", "none of cross_entropy is called by this model"),
    (HALVES, "softmax_forward and softmax_backward belong together"),
    ("def sofmax(x):\n    return x\n", "did you mean softmax? It defines none of"),
    ("def sample(p, u):\n    return 1 / 0\n", "mine.py, line 2: ZeroDivisionError"),
    ("def sample(p, u):\n    return 3\n", "sample returned int, where ours returns a tensor ()"),
    ("def sample(p, u):\n    return p.argmax() + 1000\n", "ValueError: ids from 10"),
    ("def softmax(x):\n    return x[..., :1]\n", "softmax returned a tensor "),
    ("calls = []\ndef sample(p, u):\n    calls.append(1)\n    return p.argmax() if len(calls) < 6 else 1 / 0\n",
     "mine.py, line 4: ZeroDivisionError"),
])
def test_what_cannot_stand_in_is_refused_in_one_line(generate, capsys, code, says):
    arguments = generate(code)
    assert main(arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("minigpt: ")]
    assert len(lines) == 1
    assert lines[0].startswith("minigpt: error: --mine ")
    assert says in lines[0]


def test_a_prompt_that_is_too_long_is_not_blamed_on_your_file(generate, capsys):
    line = refused([*generate(GREEDY), "--prompt", "went to mow a meadow"], capsys)
    assert "--mine" not in line
    assert "more than the model's context_length=8" in line


def test_text_comes_as_soon_as_it_is_written(generate, monkeypatch):
    events = []
    monkeypatch.setattr("minigpt.writing.write", lambda *args, **options: (events.append("token") or "x"
                                                                          for _ in range(2)))
    monkeypatch.setattr("builtins.print", lambda *args, **options: events.append("print"))
    monkeypatch.setattr("minigpt.commands.generate.called_functions", lambda *args: {})
    assert main(generate(GREEDY)) == 0
    assert events == ["print", "token", "print", "token", "print", "print"]
