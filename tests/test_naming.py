"""check() names every mistake by its own sentence, also where a wrong forward comes without its backward."""
import pathlib

import pytest

from minigpt.grading.check import check_functions
from minigpt.grading.contract import mistakes
from minigpt.grading.op import implementations

CONCEPTS = sorted(p.stem for p in pathlib.Path(__file__).parent.glob("mistakes/[a-z]*.py") if implementations(p.stem))
MISTAKES = [mistake for concept in CONCEPTS for mistake in mistakes(concept)
            if not concept.endswith("_kernel")]        # interpreting each bank for each of its mistakes takes an hour


def wrong_forward(mistake):
    """{name: function} of a mistake that is in the forward of its concept, else nothing."""
    name = f"{mistake.op.concept}_forward"
    right = implementations(mistake.op.concept)[0].functions.get(name)
    function = mistake.op.functions.get(name)
    return {} if function is right else {name: function}


def assert_named(mistake, functions):
    verdict = check_functions(mistake.op.concept, functions)
    assert not verdict
    assert verdict.likely == mistake.says
    assert mistake.says in str(verdict)


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: f"{m.op.concept}-{m.name}")
def test_check_names(mistake):
    assert_named(mistake, mistake.op.functions)


@pytest.mark.slow
@pytest.mark.parametrize("mistake", list(filter(wrong_forward, MISTAKES)), ids=lambda m: f"{m.op.concept}-{m.name}")
def test_check_names_without_a_backward(mistake):
    assert_named(mistake, wrong_forward(mistake))
