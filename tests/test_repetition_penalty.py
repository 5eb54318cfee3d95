"""The contract of repetition_penalty, a part of that of generation."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from test_generation import NEXT, generate, model_of

from minigpt.grading.compare import assert_close, refused, untouched
from minigpt.reference import generation as reference

CONCEPT = "generation"
LOGITS = np.array([2.0, -1.0, 3.0, 0.0])


def penalised(op, logits, ids, penalty):
    return op.call("repetition_penalty", logits.copy(), np.array(ids, dtype=np.int64), penalty)


@pytest.mark.parametrize(("ids", "expected"), [
    ([0], [1.0, -1.0, 3.0, 0.0]),                             # 2 / 2
    ([1], [2.0, -2.0, 3.0, 0.0]),                             # -1 * 2: dividing would make it likelier
    ([2, 0, 2, 2], [1.0, -1.0, 1.5, 0.0]),                    # once, however often it was there
    ([3], [2.0, -1.0, 3.0, 0.0]),
    ([], [2.0, -1.0, 3.0, 0.0]),
])
def test_a_worked_penalty(op, ids, expected):
    assert_close(penalised(op, LOGITS, ids, 2.0), np.array(expected), "logits")


def test_a_penalty_of_one_changes_nothing_and_one_below_asks_for_repetition(op):
    assert_close(penalised(op, LOGITS, [0, 1, 2], 1.0), LOGITS, "logits")
    assert_close(penalised(op, LOGITS, [0, 1], 0.5), np.array([4.0, -0.5, 3.0, 0.0]), "logits")


def test_an_impossible_token_stays_impossible_with_a_penalty(op):
    assert_close(penalised(op, np.array([-np.inf, 1.0]), [0], 1.3), np.array([-np.inf, 1.0]), "logits")


def test_each_row_has_its_own_tokens(op):
    rows, ids = np.array([LOGITS, LOGITS]), [[0, 0], [2, 1]]
    assert_close(penalised(op, rows, ids, 2.0), np.array([[1.0, -1.0, 3.0, 0.0], [2.0, -2.0, 1.5, 0.0]]), "logits")


def test_logits_and_ids_are_left_untouched(op):
    logits, ids = LOGITS.copy(), np.array([0, 2])
    with untouched(logits=logits, ids=ids):
        op.call("repetition_penalty", logits, ids, 1.5)


def test_penalised_float32_keeps_float32(op):
    assert penalised(op, LOGITS.astype(np.float32), [0], 1.5).dtype == np.float32


@pytest.mark.parametrize("penalty", [0.0, -1.0, np.nan, np.inf])
def test_a_penalty_that_is_not_positive_is_refused(op, penalty):
    with refused(f"penalty={penalty}"):
        penalised(op, LOGITS, [0], penalty)


@hypothesis.given(N=st.integers(0, 9), penalty=st.floats(0.5, 2), seed=st.integers(0, 99))
def test_any_penalty_agrees_with_the_reference(op, N, penalty, seed):
    rng = np.random.default_rng(seed)
    logits, ids = rng.normal(size=(3, 6)), rng.integers(0, 6, (3, N))
    assert_close(penalised(op, logits, ids, penalty), reference.repetition_penalty(logits, ids, penalty), "logits")


def test_a_greedy_text_with_a_penalty_does_not_repeat_itself_at_once(op):
    loop = np.where(np.eye(6) > 0, 5.0, np.where(np.eye(6)[::-1] > 0, 4.5, 0.0))      # after i comes i, then 5 - i
    plain, penalised = (generate(op, model_of(loop), [0], max_new_tokens=3, temperature=0, penalty=penalty)
                        for penalty in (1.0, 1.5))
    assert plain == [0, 0, 0]
    assert penalised == [0, 5, 5]


def test_the_penalty_is_for_what_was_written_not_for_the_prompt(op):
    assert generate(op, model_of(NEXT), [1, 2, 3, 0], max_new_tokens=2, temperature=0, penalty=9.0) == [1, 2]
