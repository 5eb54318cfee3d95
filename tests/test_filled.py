"""Lessons with every exercise filled in: what takes the place of a stub, and what a run of them finds."""
import ast

import nbformat
import pytest

from lessons import build, convert, filled
from minigpt.commands.start import front_matter, lesson_files
from minigpt.grading.exercises import exercises, is_unwritten

ROOT = build.ROOT
FIELDS = "---\ntitle: A toy\nquestion: Why?\nprerequisites:\nable_to:\n  - add\nstudent_minutes: 5\n---\n"
LESSON = FIELDS + '''\
## Softmax (first_model.1)

```python tags=["exercise"]
import math

def softmax_forward(x):
    """Probabilities."""
    ...
```

```python
from minigpt.grading import check

check("softmax", softmax_forward)
```
'''
RIGHT = '''\
import numpy as np

TOP = -1
unused = 1


def softmax_forward(x):
    m = _largest(x)
    e = np.exp(x - np.where(np.isinf(m), 0, m))
    total = e.sum(axis=TOP, keepdims=True)
    return np.divide(e, total, out=np.zeros_like(e), where=total > 0)


def _largest(x):
    return x.max(axis=TOP, keepdims=True)
'''


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository of one lesson with one exercise, and its right answer."""
    for path, text in (("lessons/01_first_model.md", LESSON), ("lessons/exercises.toml", '["first_model.1"]\n'),
                       ("tests/second_solutions/first_model.py", RIGHT)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def cells(path):
    return convert.converted(front_matter(path.read_text(encoding="utf-8"))[1])


def filled_in(root, stub, answers, kernels="", check=""):
    """The source of a cell after it was filled in."""
    (root / "tests/second_solutions/first_model.py").write_text(answers, encoding="utf-8")
    (root / "tests/second_solutions/kernels.py").write_text(kernels, encoding="utf-8")
    notebook = convert.converted(f'```python tags=["exercise"]\n{stub}\n```\n\n```python\n{check or 1}\n```\n')
    filled.fill(notebook, "first_model", root)
    return notebook.cells[0].source


def test_an_answer_brings_what_it_needs_and_nothing_else_and_the_imports_of_the_stub_stay(root):
    notebook = cells(root / "lessons/01_first_model.md")
    assert filled.fill(notebook, "first_model", root) == {"softmax_forward"}
    source = notebook.cells[1].source
    assert [line for line in source.splitlines() if "import" in line] == ["import math", "import numpy as np"]
    assert {name for node in ast.parse(source).body for name in filled._names(node)} == {
        "math", "np", "TOP", "softmax_forward", "_largest"}
    assert "Probabilities" not in source


def test_a_kernel_is_found_by_the_role_that_its_check_says_and_takes_the_name_of_the_stub(root):
    source = filled_in(root, "%%triton\n@triton.jit\ndef mine(x):\n    ...",
                       "", "import triton\n\n@triton.jit\ndef softmax_forward_kernel(x):\n    return x",
                       'check("softmax_kernel", softmax_forward_kernel=mine)')
    assert source == "%%triton\nimport triton\n\n@triton.jit\ndef mine(x):\n    return x\n"


def test_a_question_gets_its_answer_and_what_is_open_to_choose_keeps_its_value(root):
    assert filled_in(root, 'a = {"b": None}', 'a = {"b": 2}') == "a = {'b': 2}\n"
    assert filled_in(root, 'TEXT = "a"', "") == "TEXT = 'a'\n"


@pytest.mark.parametrize("stub", ["def f():\n    ...", "a = [None]"])
def test_an_answer_that_is_missing_is_named_with_the_file_to_write_it_into(root, stub):
    with pytest.raises(ValueError, match=r"tests/second_solutions/first_model\.py has no right answer for [fa]$"):
        filled_in(root, stub, "b = 1")


def test_what_is_left_unwritten_or_wrong_is_found_in_the_outputs(root):
    def executed(source, text):
        return nbformat.v4.new_code_cell(source, outputs=[nbformat.v4.new_output("stream", text=text)])

    said = [executed("check(other)", "other: your turn - replace the ... and run"), executed("check(mine)", "  ✗ no"),
            executed("check(somebodys)", "  ✗ no"), executed("check(mine)", "  ✓ yes")]
    notebook = nbformat.v4.new_notebook(cells=said)
    assert filled.faults(notebook, "first_model", root, {"mine"}, {"first_model.1"}) == [
        "cell 'check(other)' says that something is not written yet", "cell 'check(mine)' shows a ✗"]


@pytest.mark.slow
def test_a_filled_in_lesson_runs_and_nothing_is_written(root, capsys):
    before = sorted(root.rglob("*"))
    assert build.main(["--filled", "first_model"]) == 0
    assert "01_first_model" in capsys.readouterr().out
    assert sorted(root.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new", "said"), [
    ("axis=TOP, keepdims=True)\n    return", "axis=0, keepdims=True)\n    return",
     """first_model.1 was filled in, and has not passed; cell 'from minigpt.grading import check' shows a ✗"""),
    ("    m = _largest(x)\n", "    if x.ndim == 5:\n        raise RuntimeError\n    m = _largest(x)\n",
     "a cell failed")])
def test_a_wrong_answer_and_a_lesson_that_fails_with_a_right_one_are_found(root, capsys, old, new, said):
    path, lesson = root / "tests/second_solutions/first_model.py", root / "lessons/01_first_model.md"
    path.write_text(RIGHT.replace(old, new), encoding="utf-8")
    text = LESSON + "\n```python\nimport numpy as np\n\nsoftmax_forward(np.ones((1, 1, 1, 1, 1))) if 1 else 0\n```\n"
    lesson.write_text(text, encoding="utf-8")
    assert build.main(["--filled"]) == 1
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("lesson", lesson_files(ROOT))
def test_every_exercise_of_the_lessons_has_an_answer_to_fill_in(lesson):
    notebook = cells(lesson_files(ROOT)[lesson])
    names = filled.fill(notebook, lesson, ROOT)
    code = "\n\n".join(cell.source for cell in notebook.cells if "exercise" in cell.metadata.get("tags", []))
    written = {node.name: node for node in ast.parse(code.replace("%%triton", "")).body
               if isinstance(node, ast.FunctionDef)}
    mine = [exercise for exercise in exercises(ROOT).values() if exercise.lesson == lesson]
    assert names >= {name for exercise in mine for name in exercise.functions}
    for exercise in mine:
        for name in exercise.functions:
            assert not is_unwritten(written[name], exercise.stubs[name]), name
