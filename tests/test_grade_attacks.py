"""Code that nobody trusts: each attack gets its score and a clear line, and the student beside it all points."""
import os
import pathlib

import pytest
from sandboxed import require_containment

from minigpt.grading import sandbox
from minigpt.grading.exercises import exercises
from minigpt.grading.marking import Settings, mark_all
from minigpt.grading.rubric import Rubric
from minigpt.listing import ROOT

RIGHT = """
import numpy as np

def min_p(probabilities, min_p):
    kept = np.where(probabilities >= min_p * probabilities.max(axis=-1, keepdims=True), probabilities, 0)
    return kept / kept.sum(axis=-1, keepdims=True)
"""


def wrapped(lines):
    """A right answer that first does something else, at each call."""
    body = "\n".join(f"    {line}" for line in lines.strip().splitlines())
    return RIGHT.replace("def min_p", "def right") + f"\ndef min_p(p, min_p):\n{body}\n    return right(p, min_p)\n"


# attack -> (code, points of 10 or None if any will do, what is said)
ATTACKS = {
    "an infinite loop": (wrapped("while True: pass"), 0, "did not end in"),
    "an infinite loop when loaded": (RIGHT + "while True: pass", 0, "did not come back in time"),
    "10 GB of memory": (wrapped("np.ones(10 << 30, dtype=np.int8)"), 0, "allocate"),
    "printing megabytes": (wrapped("print('x' * (4 << 20))"), 10, "MB, which nobody reads"),
    "leaving the interpreter": (wrapped("import os; os._exit(0)"), 0, "it ended the interpreter"),
    "a polite exit": (wrapped("raise SystemExit(0)"), 0, "SystemExit"),
    "a crash of the process": (wrapped("import ctypes; ctypes.string_at(0)"), 0, "its process ended"),
    "skipping the tests": (wrapped("import unittest; raise unittest.SkipTest('all is well')"), 0, "SkipTest"),
    "an object equal to everything": (
        "class Equal:\n    __eq__ = __array__ = __lt__ = lambda *a, **k: True\n"
        "def min_p(p, m): return Equal()", 0, "it returned a Equal: only arrays"),
    "NaN": ("import numpy as np\ndef min_p(p, m): return p * np.nan", 0, "nan"),
    "the input as output": ("def min_p(p, m): return p", 0, "A worked example: p[2]"),
    "writing into the input": (
        RIGHT.replace("return kept", "probabilities[...] = 7\n    return kept"), None,
        "min_p writes into what it is given"),
    "patching NumPy": (
        "import numpy as np, sys\nnp.isclose = np.allclose = np.array_equal = lambda *a, **k: np.True_\n"
        "np.ndarray.__module__\ndef min_p(p, m): return np.zeros_like(p)", 0, "expected"),
    "patching the judge": (
        "import sys\nfor module in list(sys.modules.values()):\n    for name in list(vars(module)):\n"
        "        if 'assert' in name or 'check' in name:\n            setattr(module, name, lambda *a, **k: None)\n"
        "def min_p(p, m): return p * 0", 0, "expected"),
    "a forged answer": (
        wrapped("import os\nfor fd in range(3, 99):\n    try: os.write(fd, b'\\xff' * 64)\n    except OSError: pass"),
        0, "bytes"),
    "a huge answer": (
        "import numpy as np\ndef min_p(p, m): return np.zeros(200 << 20, dtype=np.int8)", 0, "a message of"),
    "a broadcast that would fill the judge": (
        "import numpy as np\ndef min_p(p, m): return np.zeros((4 << 20, 1))", 0, "shape"),
    "a syntax error": ("def min_p(p, m) return p", 0, "line 1"),
    "nothing": ("", 0, "missing: min_p"),
}
CONTAINED = {
    "a bounded fork bomb": (
        wrapped("import os, time\nfor _ in range(200):\n    if os.fork() == 0: time.sleep(60); os._exit(0)"), 0,
        "Resource temporarily unavailable"),
    "a socket": (wrapped("import socket\nsocket.create_connection(('1.1.1.1', 53), timeout=1)"), 0, "unreachable"),
    "deleting files outside": (
        wrapped(f"import os\nos.remove({str(ROOT / 'README.md')!r})"), 0, "No such file or directory"),
    "deleting what is shown": (wrapped("import shutil; shutil.rmtree('/package/minigpt')"), 0, "Read-only file system"),
    "reading the tests": (
        wrapped(f"open({str(ROOT / 'tests' / 'test_min_p.py')!r}).read()"), 0, "No such file or directory"),
    "reading the solutions": (wrapped("import solutions"), 0, "No module named 'solutions'"),
    "reading the judge's memory": (
        wrapped("import os\nopen(f'/proc/{os.getppid()}/mem', 'rb').read(1)"), 0, "Permission denied"),
    "secrets in the environment": (wrapped("import os; raise ValueError(sorted(os.environ))"), 0, "OMP_NUM_THREADS"),
    "filling the disk": (wrapped("open('/tmp/big', 'wb').write(bytes(100 << 20))"), 0, "File too large"),
}


@pytest.fixture(scope="module")
def rubrics():
    return [Rubric(exercises(ROOT)["first_model.3"])]


def marked(tmp_path, code, rubrics, *, contained):
    files = {}
    for student, text in {"attacker": code, "beside": RIGHT}.items():
        files[student] = [tmp_path / f"{student}.py"]
        files[student][0].write_text(text)
    os.environ["SECRET"] = "a secret"
    try:
        return mark_all(files, rubrics, Settings(contained, seconds=2, load_seconds=5), jobs=2)
    finally:
        del os.environ["SECRET"]


def judge(tmp_path, attack, rubrics, *, contained):
    code, points, said = attack
    attacker, beside = marked(tmp_path, code, rubrics, contained=contained)
    text = "\n".join([*attacker.notes, *(result.says for result in attacker.results)])
    assert said in text
    assert "a secret" not in text
    assert attacker.points == points or (points is None and attacker.points < 10)
    assert beside.points == 10


@pytest.mark.slow
@pytest.mark.parametrize("attack", [*ATTACKS, *CONTAINED])
def test_an_attack_gets_its_score_and_a_clear_line_and_leaves_others_alone(attack, tmp_path, rubrics):
    require_containment()
    before = sorted(path.name for path in pathlib.Path(ROOT).iterdir())
    judge(tmp_path, (ATTACKS | CONTAINED)[attack], rubrics, contained=True)
    assert sorted(path.name for path in pathlib.Path(ROOT).iterdir()) == before


@pytest.mark.parametrize(("why", "all_to_run", "outcome"), [
    ("bubblewrap (bwrap) is not installed", "1", pytest.fail.Exception),
    ("bubblewrap does not work here: Segmentation fault", "1", pytest.fail.Exception),
    ("bubblewrap does not work here: bwrap: No permissions to create new namespace", "1", pytest.skip.Exception),
    ("bubblewrap does not work here: bwrap: Creating new namespace failed: Operation not permitted", "1",
     pytest.skip.Exception),
    ("containment needs Linux", "1", pytest.skip.Exception),
    ("bubblewrap (bwrap) is not installed", "", pytest.skip.Exception)])
def test_attacks_are_left_out_in_silence_only_where_nothing_can_be_contained(why, all_to_run, outcome, monkeypatch):
    monkeypatch.setattr(sandbox, "not_contained", lambda: why)
    monkeypatch.setenv("MINIGPT_REQUIRE_DATA", all_to_run)
    with pytest.raises(outcome, match="is not contained here"):
        require_containment()
