"""A random generator crosses into a student's process as four numbers, and comes back as it was left there."""
import inspect
import json

import numpy as np
import pytest
from sandboxed import require_containment

from minigpt.grading.border import Student
from minigpt.grading.exercises import exercises
from minigpt.grading.frames import LENGTHS, Malformed, Reader, Writer, generator, numbers_of
from minigpt.grading.marking import Settings, mark_all
from minigpt.grading.rubric import Rubric
from minigpt.listing import ROOT
from minigpt.reference import masked_lm

OUT, IN = {np.random.Generator: numbers_of}, {"generator": generator}


def crossed(value):
    frame = Writer(OUT).frame("", value)
    n = LENGTHS.size
    header, _ = LENGTHS.unpack(frame[:n])
    return Reader(IN).read(frame[n:n + header], frame[n + header:])[1]


def test_on_the_other_side_it_draws_the_same():
    rng = np.random.default_rng(3)
    rng.integers(9, size=3, dtype=np.int32)            # leaves half of a 64-bit number for the next draw
    other = crossed(rng)
    assert rng.bit_generator.state["has_uint32"]
    assert other.bit_generator.state == rng.bit_generator.state
    assert other.random() == rng.random()


def test_another_kind_of_generator_does_not_cross():
    assert crossed(np.random.Generator(np.random.MT19937(0))).kind == "generator MT19937"


@pytest.mark.parametrize("numbers", [
    [1, 1, 0], [1, 1, 0, 0, 0], [-1, 1, 0, 0], [1 << 128, 1, 0, 0], [1, 1, 2, 0], [1, 1, 0, 1 << 32], [1.0, 1, 0, 0],
    ["1", 1, 0, 0], [True, 1, 0, 0], 7, None, {"state": 1}], ids=str)
def test_what_is_no_generator_is_malformed(numbers):
    with pytest.raises(Malformed):
        Reader(IN).read(json.dumps(["", {"generator": numbers}]).encode(), b"")


@pytest.mark.slow
def test_what_a_student_draws_the_judge_does_not_draw_again(tmp_path):
    require_containment()
    (tmp_path / "submission0.py").write_text("def draw(n, *, rng):\n    return rng.random(n)\n")
    tmp_path.chmod(0o755)
    mine, theirs = np.random.default_rng(5), np.random.default_rng(5)
    with Student(tmp_path) as student:
        for n in (2, 3):
            assert (student.call("draw", (n,), {"rng": theirs}) == mine.random(n)).all()
            assert theirs.random() == mine.random()
        assert student.wrote == set()


@pytest.mark.slow
def test_a_masking_program_that_writes_into_the_text_is_told_so(tmp_path):
    """A fault of the exercise masked_lm.1, `masked = ids`: all else is right."""
    require_containment()
    source = inspect.getsource(masked_lm)
    assert source.count("return masked, targets") == 1
    spoilt = source.replace("return masked, targets", "ids[...] = masked\n    return ids, targets")
    texts = {"right": source, "writes": spoilt}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    rubric = Rubric(exercises(ROOT)["masked_lm.1"])
    right, writes = mark_all({name: [tmp_path / f"{name}.py"] for name in texts}, [rubric], Settings())
    assert (right.points, writes.points < 15) == (15, True)
    assert "mask_tokens writes into what it is given" in writes.results[0].says
