"""A pass of check() keeps the student's functions in my/, as a file that runs, and destroys nothing there."""
import importlib.util
import linecache
import types

import nbformat
import pytest
import torch

from lessons.build import execute
from minigpt.grading import check
from minigpt.grading.source import Unsaveable, module_of
from minigpt.mine import load_mine, replacements
from minigpt.reference.softmax import softmax_backward, softmax_forward
from minigpt.softmax import softmax

CELL = '''
from collections import namedtuple
import numpy as np
from numpy import exp

LOWEST = -np.inf
Kept = namedtuple("Kept", "y")

def top(x):
    return x.max(axis=-1, keepdims=True, initial=LOWEST)

def softmax_forward(x):
    """Mine."""
    m = top(x)
    e = exp(x - np.where(np.isinf(m), 0, m))
    total = e.sum(axis=-1, keepdims=True)              # of each row
    y = e / np.where(total == 0, 1, total)
    return y, Kept(y)

def softmax_backward(dy, cache):
    return cache.y * (dy - (dy * cache.y).sum(axis=-1, keepdims=True))
'''


@pytest.fixture
def my(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGPT_MY", str(tmp_path / "my"))
    return tmp_path / "my"


def cell(code, name="<cell>"):
    """What a notebook has after running a cell: its source can be looked up, though there is no file."""
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    space = {"__name__": "__main__"}
    exec(compile(code, name, "exec"), space)
    return types.SimpleNamespace(**space)


def test_what_passes_in_a_notebook_is_kept_and_can_train_the_model(my):
    mine = cell(CELL)
    verdict = check("softmax", mine.softmax_forward, mine.softmax_backward)
    assert str(verdict).splitlines()[-1] == (
        f"Kept in {my / 'softmax.py'}. This softmax can now train the model: "
        f"python -m minigpt train --mine {my / 'softmax.py'}")
    kept = (my / "softmax.py").read_text()
    assert "# of each row" in kept
    x = torch.randn(3, 5, dtype=torch.float64)
    torch.testing.assert_close(replacements(load_mine(my))["softmax"](x), softmax(x))


def test_what_passes_in_a_file_of_the_students_is_kept(my, tmp_path):
    (tmp_path / "draft.py").write_text(CELL)
    spec = importlib.util.spec_from_file_location("draft", tmp_path / "draft.py")
    draft = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draft)
    assert "Kept in" in str(check("softmax", draft.softmax_forward, draft.softmax_backward))
    assert set(load_mine(my)) >= {"softmax_forward", "softmax_backward", "top"}


def test_names_of_ones_own_become_those_that_the_model_knows(my):
    mine = cell(CELL.replace("softmax_", "first_try_"))
    assert check("softmax", mine.first_try_forward, mine.first_try_backward)
    assert "\nsoftmax_forward = first_try_forward\n" in (my / "softmax.py").read_text()
    assert "softmax" in replacements(load_mine(my))


def test_a_torch_function_is_kept_with_what_it_takes_from_us(my):
    mine = cell("import torch\nfrom minigpt.softmax import softmax as ours\ndef mine(x, *, times=1):\n"
                "    return ours(x) * times\n")
    assert check("softmax", torch=mine.mine)
    kept = (my / "softmax.py").read_text()
    assert "from minigpt.softmax import softmax as ours" in kept
    assert "import torch\n" not in kept                # it is not used
    torch.testing.assert_close(load_mine(my)["softmax"](torch.zeros(2)), torch.tensor([0.5, 0.5]))


def test_a_kept_file_is_replaced_by_the_next_pass(my):
    for text in ("Mine.", "Better."):
        mine = cell(CELL.replace("Mine.", text))
        check("softmax", mine.softmax_forward, mine.softmax_backward)
    assert {path.name for path in my.iterdir()} == {"progress.json", "softmax.py"}
    assert '"""Better."""' in (my / "softmax.py").read_text()


@pytest.mark.parametrize("other", ["def softmax(x):\n    return x\n", "edited"])
def test_a_file_that_the_student_wrote_or_changed_stays_beside_it(my, other):
    mine = cell(CELL)
    if other == "edited":
        check("softmax", mine.softmax_forward, mine.softmax_backward)
        other = (my / "softmax.py").read_text().replace("Mine.", "Edited.")
    my.mkdir(exist_ok=True)
    (my / "softmax.py").write_text(other)
    (my / "softmax.py.1").write_text("older")
    says = str(check("softmax", mine.softmax_forward, mine.softmax_backward))
    assert "(what was there is now softmax.py.2)" in says
    assert (my / "softmax.py.1").read_text() == "older"
    assert (my / "softmax.py.2").read_text() == other
    assert "Mine." in (my / "softmax.py").read_text()


@pytest.mark.parametrize(("change", "says"), [
    (("LOWEST = -np.inf", "LOWEST = np.array(-np.inf)"), "LOWEST is a ndarray, which is neither imported"),
    (("def top(x):\n    return", "top = lambda x:"), "a lambda cannot be kept"),
    (('Kept = namedtuple("Kept", "y")', "class Kept:\n    def __init__(self, y):\n        self.y = y"),
     "Kept is a class: a tuple"),
])
def test_what_cannot_be_saved_is_said_and_no_file_is_written(my, change, says):
    assert change[0] in CELL
    mine = cell(CELL.replace(*change))
    verdict = check("softmax", mine.softmax_forward, mine.softmax_backward)
    assert verdict
    assert f"Not kept in my/: {says}" in str(verdict)
    assert not (my / "softmax.py").exists()


def test_a_function_made_by_another_is_not_kept(my):
    made = cell("def make(scale):\n    import torch\n    def softmax(x):\n        return scale * ours(x)\n"
                "    return softmax\nfrom minigpt.softmax import softmax as ours\nmine = make(1)\n").mine
    assert "softmax uses scale of the function around it" in str(check("softmax", torch=made))
    assert not my.exists()


def test_a_function_whose_source_python_does_not_know_is_not_kept(my):
    space = {"__name__": "__main__"}
    exec("def mine(x):\n    return softmax(x)\nfrom minigpt.softmax import softmax", space)
    assert "does not know the source of mine" in str(check("softmax", torch=space["mine"]))
    assert not my.exists()


def test_a_state_that_is_not_in_the_file_is_found_by_trying_it(my):
    changed = cell("from minigpt.softmax import softmax as ours\ndef mine(x, times=0):\n    return ours(x) * times\n")
    changed.mine.__defaults__ = (1,)
    assert "by itself, in a file, it does not pass" in str(check("softmax", torch=changed.mine))


def test_a_name_that_stands_for_two_things_is_refused():
    one, other = cell("a = 1\ndef f(x):\n    return a\n", "<one>"), cell("a = 2\ndef g(x):\n    return a\n", "<other>")
    with pytest.raises(Unsaveable, match="the name a stands for two"):
        module_of({"f": one.f, "g": other.g})


def test_ours_is_not_kept(my):
    assert check("softmax", softmax_forward, softmax_backward)
    assert check("softmax", torch=softmax)
    assert not my.exists()


def test_a_forward_alone_and_what_fails_are_not_kept(my):
    mine = cell(CELL)
    assert "Kept" not in str(check("softmax", mine.softmax_forward))
    assert "Kept" not in str(check("softmax", mine.softmax_forward, lambda dy, cache: dy))
    assert not (my / "softmax.py").exists()


def test_a_file_in_my_is_left_as_it_is_when_it_checks_itself(my):
    my.mkdir()
    (my / "softmax.py").write_text(CELL)
    mine = load_mine(my)
    assert check("softmax", mine["softmax_forward"], mine["softmax_backward"]).kept == ""
    assert (my / "softmax.py").read_text() == CELL


def test_nothing_is_kept_by_tests_and_by_builds_of_lessons(monkeypatch):
    mine = cell(CELL)
    monkeypatch.delenv("MINIGPT_MY", raising=False)
    assert check("softmax", mine.softmax_forward, mine.softmax_backward).kept == ""
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.setenv("MINIGPT_MY", "")
    assert check("softmax", mine.softmax_forward, mine.softmax_backward).kept == ""


@pytest.mark.slow
def test_building_a_lesson_keeps_nothing(my):
    cells = [nbformat.v4.new_code_cell(code) for code in (
        CELL, 'from minigpt.grading import check\nprint(check("softmax", softmax_forward, softmax_backward))')]
    notebook = nbformat.v4.new_notebook(cells=cells)
    execute(notebook)
    words = notebook.cells[1].outputs[0].text.split()
    assert ("hold." in words, "✗" in words, "Kept" in words) == (True, False, False)
    assert not my.exists()


def test_a_folder_that_cannot_be_written_is_said(my):
    my.write_text("a file")
    mine = cell(CELL)
    assert "Not kept in my/: " in str(check("softmax", mine.softmax_forward, mine.softmax_backward))
