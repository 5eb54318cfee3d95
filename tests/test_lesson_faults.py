"""What a lesson or its notebook must not have, and how outputs are tidied."""
import nbformat
import pytest

from lessons import build, convert
from lessons.outputs import collapsed, faults, tidy

pytest_plugins = ["toy_lesson"]                        # the fixtures root, notebook and change


# What is refused

def test_a_lesson_that_fails_leaves_the_old_notebook(root, change, capsys):
    before = (root / "notebooks/01_toy.ipynb").read_bytes()
    change(root / "lessons/01_toy.md", "0.5 + 0.5", "1 / 0")
    assert build.main([]) == 1
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().out
    assert (root / "notebooks/01_toy.ipynb").read_bytes() == before


def test_a_lesson_over_its_time_is_not_written(root, monkeypatch, capsys):
    before = (root / "notebooks/01_toy.ipynb").read_bytes()
    monkeypatch.setattr(build, "execute", lambda notebook: 91.0)
    monkeypatch.setattr(build, "faults", lambda *of: [])
    assert build.main([]) == 1
    assert "took 91 s, the budget is 90 s" in capsys.readouterr().out
    assert (root / "notebooks/01_toy.ipynb").read_bytes() == before


@pytest.mark.parametrize(("seconds", "status"), [(134.0, 0), (136.0, 1)])
def test_a_check_may_take_half_as_long_again(root, monkeypatch, capsys, seconds, status):
    monkeypatch.setattr(build, "execute", lambda notebook: seconds)
    monkeypatch.setattr(build, "faults", lambda *of: [])
    assert build.main(["--check"]) == status
    assert ("the budget is 135 s" in capsys.readouterr().out) == bool(status)


@pytest.mark.parametrize(("body", "message"), [
    ('```python tags=["exercize"]\n1\n```\n', "no tag 'exercize'; did you mean exercise"),
    ("```bash\nls\n```\n", "a bash block would be executed"),
])
def test_a_cell_that_cannot_be_meant_is_refused(body, message):
    with pytest.raises(ValueError, match=message):
        convert.converted(body)


def test_a_missing_field_is_named():
    with pytest.raises(ValueError, match="lack able_to, student_minutes"):
        convert.header({"title": "a", "question": "b", "prerequisites": []}, 1.0)


def test_an_unknown_lesson_is_answered_with_the_nearest(root, capsys):
    assert build.main(["toi"]) == 2
    assert "did you mean toy" in capsys.readouterr().err


def test_a_large_notebook_is_a_fault(notebook):
    assert faults(notebook, "x" * 1_100_000) == ["has 1074 KB, the budget is 1024 KB"]


def test_a_cell_that_was_not_executed_is_a_fault(notebook):
    notebook.cells[2].execution_count = None
    assert faults(notebook, "") == ["cell 'def mine(x):' was not executed"]


def test_a_picture_without_alt_text_is_a_fault(notebook):
    del notebook.cells[4].outputs[0].metadata["image/png"]
    assert "cell 'from minigpt.pictures import bars, show' shows a picture without alt text" in faults(notebook, "")[0]


def test_an_error_in_the_outputs_is_a_fault(notebook):
    notebook.cells[2].outputs = [nbformat.v4.new_output("error", ename="KeyError", evalue="'x'", traceback=[])]
    assert faults(notebook, "") == ["cell 'def mine(x):' ended in KeyError: 'x'"]


# Tidying

@pytest.mark.parametrize(("text", "expected"), [
    ("\r 10%\r100%\nnext\n", "100%\nnext\n"),
    ("\r 10%\r     \r", ""),
    ("a\n\nb\n", "a\n\nb\n"),
    ("\x1b[31mred\x1b[0m\n", "red\n"),
    ("line\r\n", "line\n"),
])
def test_rewritten_lines_keep_what_a_terminal_would_show(text, expected):
    assert collapsed(text) == expected


def test_bars_drawn_by_a_widget_are_dropped():
    bar = nbformat.v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "0%"})
    assert tidy([bar], "/somewhere", "/elsewhere") == []


def test_a_path_of_the_repository_becomes_relative():
    [output] = tidy([nbformat.v4.new_output("stream", text="/repo/minigpt/x.py:3: oh\n")], "/somewhere", "/repo")
    assert output.text == "minigpt/x.py:3: oh\n"
