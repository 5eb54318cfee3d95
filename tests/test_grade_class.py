"""A class: right, wrong, hanging and unfinished submissions, marked by the command in time, and twice alike.

It has 12 students. A large class takes some minutes, twice:

    MINIGPT_CLASS=200 python -m pytest tests/test_grade_class.py
"""
import csv
import inspect
import os
import sys
import time

import pytest
from sandboxed import require_containment

from minigpt.__main__ import main
from minigpt.grading.exercises import chosen, exercises
from minigpt.grading.rubric import Rubric, reference
from minigpt.listing import ROOT

N = int(os.environ.get("MINIGPT_CLASS", "12"))
SECONDS = 60 + N * 1200 / 200                          # at most 20 minutes for a class of 200, and a minute to begin
LESSONS = ["first_model", "attention"]
KNOWN = exercises(ROOT)
KINDS = ("right", "wrong", "wrong", "hanging", "wrong", "unfinished")
MARK = "def mistake(replaces, says):\n    return lambda function: function\n"


def wrong_answers():
    """(exercise, role, mistake) from the bank, one of each exercise in turn; a stub without dropout has no dropout."""
    banks = [[(exercise, mistake) for mistake in Rubric(exercise).bank() if "dropout" not in mistake.name]
             for exercise in chosen(KNOWN, LESSONS)]
    for at in range(max(map(len, banks))):
        for exercise, mistake in (bank[at % len(bank)] for bank in banks):
            role = next(role for role, function in mistake.op.functions.items() if hasattr(function, "replaces"))
            yield exercise, role, mistake


def wrong_files(exercise, role, mistake):
    """Files in which one function is wrong: ours, the bank, and the mistake under the name of the exercise."""
    ours = inspect.getmodule(reference(exercise.concept, role))
    bank = inspect.getsource(sys.modules[f"mistakes.{exercise.concept}"])
    bank = bank.replace("from mistakes import mistake\n", MARK)
    bank = bank.replace(f"from {ours.__name__} import", "from submission_2 import")
    name = next(name for name, its in exercise.functions.items() if its == role)
    return {"2_ours": inspect.getsource(ours), "3_bank": bank,
            "4_wrong": f"import submission_3\n\ndef {name}(*args, **options):\n"
                       f"    return submission_3.{mistake.name}(*args, **options)\n"}


def hand_in(folder):
    """Write the class; {student: (kind, the exercise that is not right)}."""
    asked, wrong = chosen(KNOWN, LESSONS), list(wrong_answers())
    second = {f"{at}_{lesson}": (ROOT / "tests" / "second_solutions" / f"{lesson}.py").read_text(encoding="utf-8")
              for at, lesson in enumerate(LESSONS)}
    students, n_wrong = {}, 0
    for at in range(N):
        kind, exercise, files = KINDS[at % len(KINDS)], asked[at // len(KINDS) % len(asked)], dict(second)
        if kind == "wrong":
            exercise, role, mistake = wrong[n_wrong % len(wrong)]
            files |= wrong_files(exercise, role, mistake)
            n_wrong += 1
        elif kind == "hanging":
            files["2_hangs"] = f"def {next(iter(exercise.functions))}(*args, **options):\n    while True: pass\n"
        elif kind == "unfinished":
            del files["1_attention"]
        student = f"student{at:03}"
        (folder / student).mkdir(parents=True)
        for file, text in files.items():
            (folder / student / f"{file}.py").write_text(text, encoding="utf-8")
        students[student] = kind, exercise
    return students


@pytest.mark.slow
def test_a_class_is_marked_in_time_and_twice_alike_and_each_student_as_is_right(tmp_path, capsys):
    require_containment()
    students, tables = hand_in(tmp_path / "class"), []
    for run in ("first.csv", "second.csv"):
        started = time.monotonic()
        assert main(["grade", str(tmp_path / "class"), "--lessons", ",".join(LESSONS), "--jobs", "2", "--seconds", "2",
                     "--csv", str(tmp_path / run)]) == 0
        seconds = time.monotonic() - started
        assert seconds < SECONDS, f"{N} students took {seconds:.0f} s"
        with capsys.disabled():
            print(f"{N} students: {seconds:.0f} s", end=" ", flush=True)
        tables.append((tmp_path / run).read_text(encoding="utf-8"))
    assert tables[0] == tables[1]
    rows = list(csv.DictReader(tables[0].splitlines()))
    assert [row for row in rows if not as_it_should_be(row, *students[row["student"]])] == []
    assert sorted(row["exercise"] for row in rows) == sorted(N * [exercise.id for exercise in chosen(KNOWN, LESSONS)])


def as_it_should_be(row, kind, exercise):
    """Whether a student has all points but in the exercise that is not right; none where it hangs or is not there."""
    lost = float(row["most"]) - float(row["points"])
    if kind == "unfinished":
        return float(row["points"]) == (0 if row["exercise"].startswith("attention") else float(row["most"]))
    if kind == "right" or row["exercise"] != exercise.id:
        spoilt = set(exercise.functions.values()) & set(KNOWN[row["exercise"]].used)      # of a wrong forward
        return lost == 0 or (kind != "right" and bool(spoilt))
    if kind == "hanging":
        return float(row["points"]) == 0 and "did not end in 2 s" in row["says"]
    return lost > 0
