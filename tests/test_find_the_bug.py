"""Exercises that give wrong code to mend: as it stands it has no points, and `check` says what is wrong with it."""
import ast
import importlib

import pytest

from minigpt.grading.check import check_functions
from minigpt.grading.contract import mistakes
from minigpt.grading.exercises import exercises
from minigpt.grading.rubric import Rubric, named, reference
from minigpt.grading.score import STUB, judge
from minigpt.listing import ROOT

KNOWN = exercises(ROOT)
NAMED = ["language_model.5", "backprop.5", "real_weights.4", "generation.3", "softmax_kernel.4"]   # a sentence says all


class Here:
    """A student whose functions are called in this process."""

    errors, wrote, given_up = {}, set(), ""

    def __init__(self, functions):
        self.functions = functions

    def call(self, name, args, options, keep=False):
        return self.functions[name](*args, **options)

    def next_test(self):
        pass

    next_exercise = next_test


def as_given(exercise):
    """(functions, syntax trees) of the exercise's cell, as it is in the lesson."""
    trees = {name: exercise.stubs[name] for name in exercise.functions}
    space = {"np": importlib.import_module("numpy")}
    for tree in trees.values():
        exec(compile(ast.Module([tree], []), "the lesson", "exec"), space)
    return {name: space[name] for name in trees}, trees


def with_forward(exercise, functions):
    """What the lesson's check is given: these, and the forward that it hands over."""
    handed = {role: named(exercise.given[role]) if role in exercise.given else reference(exercise.concept, role)
              for role in exercise.used}
    return handed | {role: functions[name] for name, role in exercise.functions.items()}


@pytest.mark.parametrize("id", NAMED)
def test_the_code_as_given_is_named(id):
    exercise = KNOWN[id]
    functions, _ = as_given(exercise)
    verdict = check_functions(exercise.concept, with_forward(exercise, functions))
    assert not verdict
    assert verdict.likely in {m.says for m in mistakes(exercise.concept) if "as_given" in m.name}, str(verdict)


@pytest.mark.parametrize("id", NAMED)
def test_the_code_as_given_has_no_points_and_counts_as_not_begun(id):
    result = judge(Rubric(KNOWN[id]), Here(as_given(KNOWN[id])[0]), as_given(KNOWN[id])[1])
    assert result.points == 0
    assert result.says.startswith(STUB)


@pytest.mark.parametrize("id", NAMED)
def test_a_change_that_mends_nothing_has_no_more_points_than_the_faults_leave(id):
    """It runs, so what it does right counts; but it never counts as right."""
    exercise = KNOWN[id]
    functions, trees = as_given(exercise)
    changed = {name: ast.parse(ast.unparse(tree).replace(":\n", ":\n    nothing = 0\n", 1)).body[0]
               for name, tree in trees.items()}
    result = judge(Rubric(exercise), Here(functions), changed)
    assert result.points <= 0.5 * result.most
    assert result.likely
