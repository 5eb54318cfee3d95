"""Different but right answers have all points: tests/second_solutions has one in another style for every exercise."""
import ast
import contextlib
import functools
import importlib

import pytest
from sandboxed import require_containment

from minigpt.grading.compare import may_refuse
from minigpt.grading.contract import contract, run_test
from minigpt.grading.crossing import Ended
from minigpt.grading.exercises import exercises
from minigpt.grading.frames import Malformed
from minigpt.grading.marking import Settings, mark_all
from minigpt.grading.op import Op, implementations
from minigpt.grading.recording import recorded
from minigpt.grading.rubric import Rubric
from minigpt.grading.score import judge
from minigpt.grading.stored import judge as agree
from minigpt.listing import ROOT

FOLDER = ROOT / "tests" / "second_solutions"
KNOWN = exercises(ROOT)
KERNELS = {"softmax_kernel.2": "softmax_forward_kernel", "attention_kernel.2": "attention_forward_kernel",
           "attention_backward.2": "attention_backward_dq_kernel"}


@functools.cache
def rubric(id):
    return Rubric(KNOWN[id])


class Here:
    """A student whose functions are called in this process: a test need not wait for a sandbox."""

    def __init__(self, functions):
        self.functions, self.errors, self.wrote, self.given_up = functions, {}, set(), ""

    def call(self, name, args, options, keep=False):
        return self.functions[name](*args, **options)

    def next_test(self):
        pass

    next_exercise = next_test


def functions_of(lesson):
    """(functions, syntax trees) of the second solutions of a lesson, by name."""
    module = importlib.import_module(f"second_solutions.{lesson}")
    tree = ast.parse((FOLDER / f"{lesson}.py").read_text(encoding="utf-8"))
    trees = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {name: getattr(module, name) for name in trees}, trees


def marked(exercise):
    functions, trees = functions_of(exercise.lesson)
    return judge(rubric(exercise.id), Here(functions), trees)


@pytest.mark.parametrize("id", [id for id in KNOWN if id not in KERNELS])
def test_a_second_right_answer_has_all_points(id):
    result = marked(KNOWN[id])
    assert (result.points, result.says) == (result.most, "")


@pytest.mark.slow
@pytest.mark.parametrize(("concept", "names"), [
    ("softmax_kernel", ["softmax_forward_kernel"]),
    ("attention_kernel", ["attention_forward_kernel", "attention_backward_dq_kernel"])])
def test_a_second_right_kernel_passes(concept, names):
    pytest.importorskip("triton", reason="Triton has no build for this system")
    kernels = vars(importlib.import_module("second_solutions.kernels"))
    op = implementations(concept)[0].with_functions("second", {name: kernels[name] for name in names})
    cases = [case for case in contract(concept) if not case[0].startswith("test_any_shape")]   # half of the time
    outcomes = [run_test(name, case, op) for name, case in cases]
    assert [o.test for o in outcomes if o.status not in ("passed", "skipped")] == []


@pytest.mark.parametrize(("name", "error", "accepted"), [
    ("yours", ValueError("no"), True), ("yours", IndexError("no"), True), ("reference", ValueError("no"), False),
    ("yours", AssertionError("wrong"), False), ("yours", Malformed("forged"), False), ("yours", Ended("gone"), False)])
def test_what_no_lesson_asks_for_may_be_refused_but_not_answered_wrongly(name, error, accepted):
    with contextlib.nullcontext() if accepted else pytest.raises(type(error)), may_refuse(Op("x", name, {})):
        raise error


def test_the_kernels_are_the_exercises_that_are_not_marked_here():
    assert [id for id, exercise in KNOWN.items() if "Triton kernel" in exercise.by_hand] == [*KERNELS]


@pytest.mark.slow
@pytest.mark.parametrize("id", ["attention.1", "attention.4", "training.2", "transfer.3", "modern_block.1",
                                "quantisation.1"])
def test_the_arrays_of_a_release_accept_it_as_well(id):
    """Of these one is refused, is a list or has lists in it, reads "a text without tokens" otherwise, refuses more."""
    functions, _ = functions_of(KNOWN[id].lesson)
    op = rubric(id).op({role: functions[name] for name, role in KNOWN[id].functions.items()})
    for calls in recorded(KNOWN[id].concept, [KNOWN[id]]).values():
        for call in calls:
            agree(op, call)


@pytest.mark.slow
def test_all_of_them_have_all_points_from_the_sandbox():
    """One student hands in all of the course."""
    require_containment()
    files = [path for path in sorted(FOLDER.glob("*.py")) if path.stem != "kernels"]
    rubrics = [rubric(id) for id, exercise in KNOWN.items() if not exercise.by_hand]
    student, = mark_all({"second": files}, rubrics, Settings())
    assert {result.exercise: result.says for result in student.results if result.points < result.most} == {}
    assert student.notes == []
