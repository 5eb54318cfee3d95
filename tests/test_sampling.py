"""The contract of next_token_probabilities and of sample, a part of that of generation."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from minigpt.grading.compare import assert_close, refused, untouched
from minigpt.reference import generation as reference

CONCEPT = "generation"
LOGITS = np.log([[1.0, 2.0, 5.0]])
BELOW_ONE = 1 - 2.0**-53                                      # the greatest u that a generator gives


def probabilities(op, logits, **options):
    return op.call("next_token_probabilities", np.array(logits, dtype=float), **options)


@pytest.mark.parametrize(("options", "expected"), [
    ({}, [1 / 8, 2 / 8, 5 / 8]),
    ({"temperature": 0.5}, [1 / 30, 4 / 30, 25 / 30]),        # squared
    ({"top_k": 2}, [0, 2 / 7, 5 / 7]),
    ({"top_p": 0.6}, [0, 0, 1]),                              # 5/8 reaches 0.6 by itself
    ({"top_p": 0.7}, [0, 2 / 7, 5 / 7]),                      # 5/8 does not reach 0.7: the next one is needed
    ({"temperature": 0.5, "top_p": 0.8}, [0, 0, 1]),          # 25/30 does; 5/8, before the temperature, would not
    ({"top_k": 2, "top_p": 0.7}, [0, 0, 1]),                  # 5/7 does; 5/8, before top_k, would not
])
def test_a_worked_example(op, options, expected):
    assert_close(probabilities(op, LOGITS, **options), np.array([expected]), "p")


@pytest.mark.parametrize("temperature", [0, 0.0, 1e-300, 1e-9])
def test_temperature_zero_takes_the_first_of_the_largest(op, temperature):
    p = probabilities(op, [[1.0, 7.0, 7.0, 2.0], [-3e4, -3e4, -2e4, -4e4]], temperature=temperature)
    assert_close(p, np.array([[0, 1, 0, 0], [0, 0, 1, 0]]), "p")


def test_of_equal_tokens_the_lowest_ids_are_kept(op):
    assert_close(probabilities(op, [0.0, 0.0, 0.0, 0.0], top_k=2), np.array([0.5, 0.5, 0, 0]), "p")
    assert_close(probabilities(op, [0.0, 1.0, 0.0, 1.0], top_k=1), np.array([0, 1, 0, 0]), "p")
    assert_close(probabilities(op, [0.0, 0.0, 0.0, 0.0], top_p=0.3), np.array([0.5, 0.5, 0, 0]), "p")
    many = probabilities(op, np.tile([0.0, 1.0], 500), top_k=600)          # all 500 likely ones, and the first 100
    assert_close(np.flatnonzero(many[::2]), np.arange(100), "the ids that are kept")


def test_tokens_that_reach_top_p_exactly_are_enough(op):
    assert_close(probabilities(op, [0.0, 0.0, 0.0, 0.0], top_p=0.5), np.array([0.5, 0.5, 0, 0]), "p")


def test_the_smallest_top_p_keeps_one_token(op):
    assert_close(probabilities(op, LOGITS, top_p=1e-12), np.array([[0, 0, 1]]), "p")


def test_options_that_keep_everything_change_nothing(op):
    logits = np.append(np.zeros(3), -40.0)                    # 1 + exp(-40) is 1: the last token may go by rounding
    plain = probabilities(op, logits)
    assert plain[3] > 0
    assert_close(probabilities(op, logits, top_k=9, top_p=1.0), plain, "p")


def test_an_impossible_token_stays_impossible(op):
    assert_close(probabilities(op, [-np.inf, 0.0, 0.0], top_k=3, top_p=1.0), np.array([0, 0.5, 0.5]), "p")


def test_the_logits_are_left_untouched(op):
    logits = LOGITS.copy()
    with untouched(logits=logits):
        op.call("next_token_probabilities", logits, temperature=0.5, top_k=2, top_p=0.5)


def test_strided_logits_give_the_same(op):
    logits, options = np.random.default_rng(0).normal(size=(12, 4)), {"temperature": 0.7, "top_k": 4, "top_p": 0.9}
    got = op.call("next_token_probabilities", logits[::2].T, **options)
    assert_close(got, probabilities(op, logits[::2].T.copy(), **options), "p")


def test_a_single_token_is_certain(op):
    assert_close(probabilities(op, [[-3.0], [0.0]], temperature=0.1, top_k=1, top_p=0.1), np.ones((2, 1)), "p")


def test_float32_stays_float32(op):
    p = op.call("next_token_probabilities", LOGITS.astype(np.float32), temperature=0.7, top_k=2, top_p=0.9)
    assert p.dtype == np.float32


@pytest.mark.parametrize("options", [
    {"temperature": -1.0}, {"temperature": np.nan}, {"temperature": np.inf}, {"top_k": 0}, {"top_p": 0.0},
    {"top_p": 1.5}, {"top_p": np.nan}, {"logits": [np.nan, 0.0, 0.0]}, {"logits": [np.inf, 0.0, 0.0]},
    {"logits": [[0.0] * 3, [-np.inf] * 3]},
], ids=str)
def test_what_makes_no_distribution_is_refused(op, options):
    with refused(options):
        probabilities(op, **{"logits": LOGITS} | options)


def test_each_row_goes_by_itself(op):
    logits, options = np.append(LOGITS, -LOGITS, axis=0), {"top_k": 2, "top_p": 0.7}
    alone = [probabilities(op, row, **options) for row in logits]
    assert_close(probabilities(op, logits, **options), np.array(alone), "p")


def test_a_temperature_of_a_millionth_is_not_taken_as_zero(op):
    assert_close(probabilities(op, [0.0, np.log(3) * 1e-6], temperature=1e-6), np.array([0.25, 0.75]), "p")


@hypothesis.given(V=st.integers(1, 12), temperature=st.floats(0.1, 5), top_k=st.none() | st.integers(1, 12),
                  top_p=st.none() | st.floats(0.01, 1), seed=st.integers(0, 99))
def test_any_choice_of_options_agrees_with_the_reference(op, V, temperature, top_k, top_p, seed):
    logits = np.random.default_rng(seed).normal(size=(2, V)) * 3
    options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    p = probabilities(op, logits, **options)
    assert_close(p, reference.next_token_probabilities(logits, **options), "p")


@hypothesis.given(top_p=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_top_p_keeps_the_fewest_tokens_that_reach_it(op, top_p, seed):
    logits = np.random.default_rng(seed).normal(size=12) * 2
    plain, kept = probabilities(op, logits), probabilities(op, logits, top_p=top_p) > 0
    assert plain[kept].sum() > top_p - 1e-9
    assert plain[kept].sum() - plain[kept].min() < top_p + 1e-9
    assert plain[kept].min() >= plain[~kept].max(initial=0)


@pytest.mark.parametrize(("u", "token"), [(0.0, 0), (0.2, 0), (0.25, 1), (0.7, 1), (0.75, 2), (BELOW_ONE, 2)])
def test_a_worked_sample(op, u, token):
    assert op.call("sample", np.array([0.25, 0.5, 0.25]), np.float64(u)) == token


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_token_of_probability_zero_is_never_taken(op, dtype):
    p = np.array([[0, 0.5, 0, 0.5, 0]] * 4, dtype)
    assert_close(op.call("sample", p, np.array([0.0, 0.25, 0.5, BELOW_ONE])), np.array([1, 1, 3, 3]), "ids")


def test_probabilities_that_miss_one_by_a_rounding_give_a_token(op):
    p = np.array([0.1] * 10 + [0.0])                          # their running sum ends below 1
    assert op.call("sample", p, np.float64(BELOW_ONE)) == 9


def test_probabilities_whose_sum_is_not_one_are_taken_as_shares_of_it(op):
    assert op.call("sample", np.array([0.4995, 0.4995]), np.float64(0.4999)) == 0


def test_every_token_is_taken_as_often_as_its_probability_says(op):
    p = np.array([0.1, 0.0, 0.6, 0.3])
    ids = op.call("sample", np.tile(p, (1000, 1)), (np.arange(1000) + 0.5) / 1000)
    assert_close(np.bincount(ids, minlength=4), np.array([100, 0, 600, 300]), "counts", tolerance=(0, 1))
