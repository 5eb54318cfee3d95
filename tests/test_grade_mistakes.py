"""Every mistake of the bank costs points in the exercise that it concerns, and most are named."""
import warnings

import pytest

from minigpt.grading.check import diagnose
from minigpt.grading.contract import run_test
from minigpt.grading.exercises import exercises
from minigpt.grading.rubric import Rubric
from minigpt.listing import ROOT

# a stub without dropout cannot get it wrong; of calibration, what only tests that call another function would notice
UNNOTICED = {("attention.1", "dropout_not_scaled_up"), ("attention.2", "dropout_missing_in_the_gradient"),
             ("attention_kernel.1", "dropout_not_scaled_up"), ("transfer.2", "ten_bins"),
             ("attention_backward.1", "dropout_missing_in_the_gradient"), ("transfer.2", "nothing_is_nan")}


@pytest.mark.slow
def test_a_mistake_costs_points_and_at_least_nine_of_ten_are_named():
    full, n, named = set(), 0, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for exercise in (e for e in exercises(ROOT).values() if not e.by_hand):
            rubric = Rubric(exercise)
            for mistake in (bank := rubric.bank()):
                outcomes = [run_test(name, case, mistake.op) for name, case in rubric.cases]
                if rubric.share(outcomes) == 1:
                    full.add((exercise.id, mistake.name))
                named += diagnose(exercise.concept, outcomes, rubric.cases, bank) == mistake.says
                n += 1
    assert full == UNNOTICED
    assert named > 0.9 * n > 500
