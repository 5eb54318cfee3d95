"""`python -m minigpt grade`: points for what holds, files that others read, and one clear line for what it refuses."""
import csv
import inspect
import json
from xml.etree import ElementTree

import pytest
from sandboxed import require_containment

from minigpt.__main__ import main
from minigpt.commands.start import lesson_files
from minigpt.errors import InputError
from minigpt.grading import sandbox
from minigpt.grading.contract import run_test
from minigpt.grading.exercises import IDENTITY, exercises
from minigpt.grading.formats import as_csv, as_gradescope, as_junit, table
from minigpt.grading.marking import Marked, Settings, mark_all
from minigpt.grading.rubric import Rubric, reference
from minigpt.grading.score import Result
from minigpt.grading.submissions import from_notebook, students
from minigpt.listing import ROOT

RIGHT = """
import numpy as np
import torch

def min_p(probabilities, min_p):
    p = torch.tensor(probabilities)
    kept = torch.where(p >= min_p * p.amax(-1, keepdim=True), p, 0)
    return (kept / kept.sum(-1, keepdim=True)).numpy()
"""
UNSCALED = """
import numpy as np

def min_p(probabilities, min_p):
    return np.where(probabilities >= min_p * probabilities.max(axis=-1, keepdims=True), probabilities, 0)
"""
TILED = (ROOT / "minigpt" / "reference" / "tiled" / "attention.py").read_text(encoding="utf-8")
ATTENTION = (ROOT / "minigpt" / "reference" / "attention.py").read_text(encoding="utf-8")
# right answers where ours has another cache, or other arguments, than the exercise
OTHERS = {
    "backprop.2": """
import numpy as np

def cross_entropy_backward(dy, cache):
    p, targets, ignore_index = cache
    counted = targets != ignore_index
    at = np.where(counted, targets, 0)[..., None]
    dlogits = np.where(counted[..., None], p - (np.arange(p.shape[-1]) == at), 0)
    return (dlogits * dy / max(counted.sum(), 1)).astype(p.dtype)
""",
    "attention_backward.1": TILED + """
def my_attention_backward(dy, cache, BLOCK_T=16, BLOCK_S=16):
    return attention_backward(dy, cache)
""",
    "softmax_kernel.1": """
import numpy as np

def two_passes(x, y, COLUMNS):
    m, s = -np.inf, 0.0
    for value in x:
        new = max(m, value)
        if new > -np.inf:
            s, m = s * np.exp(m - new) + np.exp(value - new), new
    y[:] = np.exp(x - m) / s if m > -np.inf else 0
"""}
MARKED = Marked("=Ana\x1b[31m", [
    Result("a.1", 10.0, 10.0, {"a property": (2, 2)}, "", ""),
    Result("a.2", 2.5, 10.0, {"a property": (1, 2), "hidden: another": (0, 1)}, "A property: 1 is not 2",
           "a sign is wrong"),
    Result("a.3", 0.0, 0.0, {}, "not marked here: a kernel", "")], ["a note"], 1.5)


def cell(source, *tags):
    return {"cell_type": "code", "source": source, "metadata": {"tags": list(tags)}, "outputs": []}


def notebook(*cells):
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)})


def ours(exercise):
    """The answer of the package, or of tests/solutions, as a student's file."""
    parts = []
    for name, role in [*exercise.functions.items(), *((role, role) for role in exercise.used)]:
        function = reference(exercise.concept, role)
        parts.append(inspect.getsource(inspect.getmodule(function)))
        if name != function.__name__:
            parts.append(f"def {name}(*args, **options):\n    return {function.__name__}(*args, **options)\n")
    return "\n\n".join(dict.fromkeys(parts))


def refuse(*args, **options):
    raise ValueError("no")


def grade(*words):
    """The exit status; contained where that works."""
    how = ["--uncontained"] if sandbox.not_contained() else []
    if how and sandbox.not_readable():
        pytest.skip("neither bubblewrap works here nor could another user read Python")
    return main(["grade", *map(str, words), *how])


def test_every_exercise_with_a_stub_has_its_points():
    text = (ROOT / "lessons" / "exercises.toml").read_text(encoding="utf-8")
    assert [id for id in exercises(ROOT) if f'["{id}"]' not in text] == []


def test_every_exercise_has_a_row():
    lines = [line for path in lesson_files(ROOT).values() for line in path.read_text(encoding="utf-8").splitlines()]
    headings = [found[1] for line in lines if line.startswith("#") and (found := IDENTITY.search(line))]
    assert len(headings) == len(set(headings))
    assert set(headings) - set(exercises(ROOT)) == set()


@pytest.mark.slow
def test_each_exercise_has_tests_that_an_answer_which_does_nothing_fails():
    for exercise in exercises(ROOT).values():
        if not exercise.by_hand:
            rubric = Rubric(exercise)                  # it raises InputError if no test, or none of use, is there
            assert rubric.share([]) == 0
            assert len(rubric.free) < len(rubric.cases), exercise.id
            roles = dict.fromkeys([*exercise.functions.values(), *exercise.used], refuse)
            outcomes = [run_test(name, case, rubric.op(roles)) for name, case in rubric.cases]
            assert rubric.share(outcomes) == 0, exercise.id


@pytest.mark.slow
def test_a_right_answer_has_all_points_in_every_exercise(tmp_path):
    require_containment()
    lost = {}
    for exercise in exercises(ROOT).values():
        if not exercise.by_hand:
            file = tmp_path / f"{exercise.id}.py"
            file.write_text(OTHERS.get(exercise.id) or ours(exercise), encoding="utf-8")
            (result,) = mark_all({"ours": [file]}, [Rubric(exercise)], Settings())[0].results
            lost |= {exercise.id: result.says} if result.points < result.most else {}
    assert lost == {}


def test_of_a_notebook_the_functions_asked_for_come_with_what_they_need():
    text = notebook(cell("import math\nimport os"),
                    cell("%matplotlib inline\nHALF = 1 / 2\nprint('no')"),
                    cell("def f(x):\n    return 1", "exercise"),
                    cell("def f(x):\n    return HALF * math.pi", "exercise"),
                    cell("def f(x):\n    return 'of the lesson'"), cell("this does not parse"))
    source = from_notebook(text, ["f"])
    assert [part in source for part in ("HALF * math.pi", "import math", "HALF = 1 / 2")] == [True] * 3
    assert [part in source for part in ("print", "import os", "of the lesson")] == [False] * 3


@pytest.mark.parametrize(("function", "needed"), [
    ("def f(x):\n    loss = 2 * x\n    return loss", False), ("def f(loss):\n    return loss", False),
    ("def f(x):\n    return [loss for loss in x]", False), ("def f(x):\n    return loss * x", True),
    ("def f(x, scale=loss):\n    return scale", True),
    ("def f(x):\n    def g():\n        return loss\n    return g()", True),
    ("def f(x):\n    global loss\n    loss = loss + x\n    return loss", True),
    ("class f:\n    def g(self):\n        return loss", True)])
def test_a_variable_of_a_function_s_own_brings_no_statement_of_the_same_name(function, needed):
    source = from_notebook(notebook(cell("loss = train_for_hours()"), cell(function)), ["f"])
    assert ("train_for_hours" in source) == needed


def test_files_of_one_name_are_of_one_student(tmp_path):
    """Of ana.ipynb and ana.py only the second was marked, and nothing said so."""
    for name in ("ana.ipynb", "ana.py", "bo.py", ".hidden.py", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "bo").mkdir()
    (tmp_path / "bo" / "answers.py").touch()
    found = {student: [file.name for file in files] for student, files in students(tmp_path).items()}
    assert found == {"ana": ["ana.ipynb", "ana.py"], "bo": ["answers.py", "bo.py"]}


def test_csv_has_a_row_for_each_exercise_and_no_formula_for_a_spreadsheet():
    rows = list(csv.DictReader(as_csv([MARKED]).splitlines()))
    assert [row["exercise"] for row in rows] == ["a.1", "a.2", "a.3"]
    assert [rows[1][column] for column in ("points", "checks_passed", "checks")] == ["2.5", "1", "3"]
    assert rows[0]["student"] == "'=Ana?[31m"


def test_junit_counts_what_it_holds():
    suites = ElementTree.fromstring(as_junit([MARKED]))
    suite, = suites
    assert (suites.get("tests"), suites.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert [len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "skipped")] == [1, 1]
    assert "hidden" not in suite.find("testcase/failure").text


def test_gradescope_gets_points_and_students_do_not_see_hidden_tests():
    results = json.loads(as_gradescope([MARKED]))
    assert results["score"] == 12.5
    assert [(t["name"], t["score"], t["max_score"], t["visibility"]) for t in results["tests"]] == [
        ("a.1", 10, 10, "visible"), ("a.2", 2.5, 10, "visible"), ("a.2, hidden tests", 0, 0, "hidden")]
    assert "a sign is wrong" in results["tests"][1]["output"]
    assert "hidden" not in results["tests"][1]["output"]


def test_the_table_says_what_was_lost_and_why():
    text = table([MARKED])
    assert "12.5 of 20 points" in text
    assert "a sign is wrong" in text
    assert "\x1b" not in text


def test_a_student_who_is_given_up_has_a_result_for_each_exercise_like_the_others(tmp_path):
    """What is marked by hand was left out, and the table of a class with such a student ended in an IndexError."""
    (tmp_path / "a.py").write_text("while True: pass\n")
    known = exercises(ROOT)
    rubrics = [known["training.1"], Rubric(known["first_model.3"])]
    settings = Settings(contained=not sandbox.not_contained(), most_seconds=0.1)
    (marked,) = mark_all({"ana": [tmp_path / "a.py"]}, rubrics, settings)
    assert [(result.exercise, result.most) for result in marked.results] == [("training.1", 0), ("first_model.3", 10)]
    assert "given up" in table([marked])


def test_without_bubblewrap_nothing_is_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "not_contained", lambda: "bubblewrap (bwrap) is not installed")
    (tmp_path / "a.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n{UNSCALED}")
    assert main(["grade", str(tmp_path / "a.py")]) == 2
    assert "not contained: use a container" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("words", "said"), [
    (["missing.py"], "no such file or folder"), (["empty"], "no .py or .ipynb file"),
    (["other.py"], "no function of any exercise"), (["a.py", "--exercises", "first_model.33"], "did you mean"),
    (["a.py", "--lessons", "atention"], "did you mean"), (["a.py", "--seconds", "0"], "must be above 0"),
    (["a.py", "--jobs", "0"], "at least 1"), (["a.py", "--csv", "no/where.csv"], "there is no such folder"),
    (["a.py", "--hidden", "nowhere"], "no such folder"), ([".", "--gradescope", "r.json"], "is for one student")])
def test_what_cannot_be_graded_is_refused_in_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.py").write_text(UNSCALED)
    (tmp_path / "other.py").write_text("def f(): return 1\n")
    assert grade(*words) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_a_right_answer_in_another_style_has_all_points_and_exit_status_0(tmp_path, capsys):
    (tmp_path / "a.ipynb").write_text(notebook(cell(RIGHT, "exercise")))
    assert grade(tmp_path / "a.ipynb", "--exercises", "first_model.3", "--gradescope", tmp_path / "results.json") == 0
    assert "10 of 10" in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text())["score"] == 10


@pytest.mark.slow
def test_part_of_the_properties_is_part_of_the_points_and_exit_status_1(tmp_path, capsys):
    (tmp_path / "a.py").write_text(RIGHT.replace("p >= ", "p > "))
    assert grade(tmp_path / "a.py", "--exercises", "first_model.3", "--junit", tmp_path / "junit.xml") == 1
    points = float(capsys.readouterr().out.split("first_model.3")[1].split()[0])
    assert 0 < points < 10
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().get("failures") == "1"


@pytest.mark.slow
def test_a_class_is_marked_the_same_one_by_one_and_two_at_a_time(tmp_path, capsys):
    """Attention's contract uses PyTorch in the judge, which once waited for threads that a fork had left behind."""
    folder = tmp_path / "class"
    (folder / "ana").mkdir(parents=True)
    (folder / "ana" / "answers.py").write_text(ATTENTION)
    (folder / "bo.py").write_text(ATTENTION.replace("(q / math.sqrt(D)) @", "q @"))
    (folder / "cy.py").write_text("def attention_forward(q, k, v, *, causal=False, key_mask=None):\n    ...\n")
    wanted = "attention.1,attention.2"
    for jobs in (1, 2):
        assert grade(folder, "--exercises", wanted, "--jobs", jobs, "--csv", tmp_path / f"{jobs}.csv") == 0
    assert (tmp_path / "1.csv").read_text() == (tmp_path / "2.csv").read_text()
    rows = {(row["student"], row["exercise"]): row for row in csv.DictReader((tmp_path / "1.csv").open())}
    assert [rows["ana", id]["points"] for id in wanted.split(",")] == ["15.0", "15.0"]
    assert 0 < float(rows["bo", "attention.1"]["points"]) < 15
    assert "not divided by sqrt(D)" in rows["bo", "attention.1"]["likely_mistake"]
    assert rows["cy", "attention.1"]["points"] == "0.0"
    assert "still the stub" in rows["cy", "attention.1"]["says"]
    assert "missing: attention_backward" in rows["cy", "attention.2"]["says"]


@pytest.mark.slow
def test_the_limits_hold_without_a_container_too(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "not_readable", lambda: "")
    monkeypatch.setattr(sandbox, "FIRST_UID", 0)       # root stays root: Python may lie where no other user can read
    (tmp_path / "a.py").write_text(RIGHT + "np.ones(10 << 30, dtype=np.int8)\n")
    assert main(["grade", str(tmp_path / "a.py"), "--exercises", "first_model.3", "--uncontained"]) == 0
    said = capsys.readouterr()
    assert "does not run to its end" in said.out
    assert "not contained" in said.err


def test_root_says_that_its_python_cannot_be_read_by_others(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "not_readable", lambda: "/root")
    (tmp_path / "a.py").write_text(UNSCALED)
    assert main(["grade", str(tmp_path / "a.py"), "--uncontained"]) == 2
    assert "cannot look into /root" in capsys.readouterr().err


@pytest.mark.slow
def test_an_instructors_hidden_tests_count(tmp_path, capsys):
    (tmp_path / "hidden").mkdir()
    (tmp_path / "a.py").write_text(RIGHT.replace("def min_p", "def right") + "\n"
                                   "def min_p(p, min_p):\n    return p * 0 if p.shape == (7,) else right(p, min_p)\n")
    (tmp_path / "hidden" / "test_min_p.py").write_text(
        "import numpy as np\n\ndef test_seven_tokens(op):\n"
        "    assert np.isclose(op.call('min_p', np.full(7, 1 / 7), 0.5).sum(), 1)\n")
    words = [tmp_path / "a.py", "--exercises", "first_model.3"]
    assert grade(*words) == 0
    assert grade(*words, "--hidden", tmp_path / "hidden") == 1
    assert "seven tokens" in capsys.readouterr().out


def test_a_row_of_the_table_for_no_exercise_is_named(tmp_path):
    lessons = tmp_path / "lessons"
    lessons.mkdir()
    (lessons / "01_a.md").write_text("# A lesson\n")
    (lessons / "exercises.toml").write_text('["a.1"]\npoints = 1\n')
    with pytest.raises(InputError, match=r"no lesson has the exercise a\.1"):
        exercises(tmp_path)
