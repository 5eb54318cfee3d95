"""The contract of the exercises of the lesson language_model: models that count."""
import itertools
import math
from fractions import Fraction

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from minigpt.grading.compare import assert_close, may_refuse

FIRST = np.array([1 / 2, 1 / 4, 1 / 4])                # the table of the lesson: a b c, every bit a whole number
TABLE = np.array([[1 / 4, 1 / 2, 1 / 4],
                  [1 / 2, 0, 1 / 2],
                  [1 / 8, 1 / 8, 3 / 4]])


def probabilities(*shape, seed=0):
    p = np.random.default_rng(seed).random(shape) + 0.01
    return p / p.sum(axis=-1, keepdims=True)


def some_counts(*shape, seed=0):
    return np.random.default_rng(seed).poisson(0.8, shape)


# text_bits

@pytest.mark.parametrize(("ids", "bits"), [
    ([0, 1, 0, 1], 1 + 1 + 1 + 1),                     # abab
    ([1, 2, 0, 0], 2 + 1 + 3 + 2),                     # bcaa
    ([2, 1, 2, 2], 2 + 3 + 1 - math.log2(3 / 4)),      # cbcc
])
def test_the_bits_of_a_text_are_those_of_a_calculation_by_hand(op, ids, bits):
    assert_close(op.call("text_bits", np.array(ids), FIRST, TABLE), bits, "bits")


def test_a_text_of_one_character_costs_what_the_first_one_costs(op):
    assert_close(op.call("text_bits", np.array([2]), FIRST, TABLE), 2.0, "bits")


def test_a_step_of_probability_0_costs_infinitely_many_bits(op):
    assert_close(op.call("text_bits", np.array([1, 1, 2]), FIRST, TABLE), math.inf, "bits")


def test_a_text_that_is_certain_costs_nothing(op):
    assert_close(op.call("text_bits", np.array([0, 1, 0]), np.array([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0]])),
                 0.0, "bits")


def test_where_all_is_equally_likely_each_character_costs_log2_of_V(op):
    assert_close(op.call("text_bits", np.array([3, 1, 1, 7, 0]), np.full(8, 1 / 8), np.full((8, 8), 1 / 8)),
                 15.0, "bits")


def test_a_long_text_is_not_rounded_to_probability_0(op):
    ids = np.arange(5000) % 2                          # ababab...
    assert_close(op.call("text_bits", ids, FIRST, TABLE), 5000.0, "bits")


def test_the_probabilities_of_all_texts_of_one_length_sum_to_one(op):
    bits = [op.call("text_bits", np.array(ids), FIRST, TABLE) for ids in itertools.product(range(3), repeat=3)]
    assert_close(np.sum(2.0 ** -np.array(bits)), 1.0, "sum")


# bigram

def test_the_bigrams_of_a_text_are_those_counted_by_hand(op):
    ids = np.array([0, 1, 0, 0, 1, 2, 1])              # abaabcb: ab twice, ba, aa, bc, cb
    expected = np.array([[1 / 3, 2 / 3, 0], [1 / 2, 0, 1 / 2], [0, 1, 0]])
    assert_close(op.call("bigram", ids, 3), expected, "table")


def test_a_pair_counts_each_time_that_it_occurs(op):
    assert_close(op.call("bigram", np.array([0, 1, 0, 1, 0, 1, 0, 0]), 2), np.array([[1 / 4, 3 / 4], [1, 0]]), "table")


def test_the_last_character_is_followed_by_nothing(op):
    assert_close(op.call("bigram", np.array([1, 0, 0, 1]), 2), np.array([[1 / 2, 1 / 2], [1, 0]]), "table")


def test_a_character_that_nothing_followed_has_a_row_of_0(op):
    assert_close(op.call("bigram", np.array([0, 0, 2]), 4), np.array([[.5, 0, .5, 0], *np.zeros((3, 4))]), "table")


def test_a_text_of_one_character_has_no_pairs(op):
    assert_close(op.call("bigram", np.array([1]), 2), np.zeros((2, 2)), "table")


def test_counting_leaves_the_text_as_it_was(op):
    ids = np.array([0, 1, 1, 0])
    op.call("bigram", ids, 2)
    assert_close(ids, np.array([0, 1, 1, 0]), "ids, afterwards,")


@hypothesis.given(st.lists(st.integers(0, 3), min_size=2, max_size=40))
def test_each_entry_is_its_share_of_what_followed(op, ids):
    pairs = list(itertools.pairwise(ids))
    expected = [[Fraction(pairs.count((a, b)), max(1, ids[:-1].count(a))) for b in range(4)] for a in range(4)]
    assert_close(op.call("bigram", np.array(ids), 4), np.array(expected, float), "table")


# what witten_bell and absolute_discounting have in common

SMOOTHED = pytest.mark.parametrize(("name", "more"), [("witten_bell", ()), ("absolute_discounting", (0.7,))])


@SMOOTHED
def test_a_context_that_was_never_seen_leaves_the_shorter_one_as_it_is(op, name, more):
    counts, lower = np.array([[0, 0, 0], [4, 0, 0]]), probabilities(2, 3)
    assert_close(op.call(name, counts, lower, *more)[0], lower[0], "p[0]")


@SMOOTHED
@pytest.mark.parametrize("shape", [(5,), (1, 1), (6, 4), (2, 3, 7)])
def test_every_row_still_sums_to_one(op, name, more, shape):
    p = op.call(name, some_counts(*shape), probabilities(*shape), *more)
    assert_close(p.sum(axis=-1), np.ones(shape[:-1]), "sum of a row")


@SMOOTHED
def test_one_row_of_the_shorter_context_serves_all_rows_of_counts(op, name, more):
    counts, lower = some_counts(5, 4), probabilities(4)
    assert_close(op.call(name, counts, lower, *more), op.call(name, counts, np.tile(lower, (5, 1)), *more), "p")


@SMOOTHED
def test_counts_and_probabilities_are_left_as_they_were(op, name, more):
    counts, lower = some_counts(3, 4).astype(float), probabilities(3, 4)
    op.call(name, counts, lower, *more)
    assert_close(counts, some_counts(3, 4).astype(float), "counts, afterwards,")
    assert_close(lower, probabilities(3, 4), "lower, afterwards,")


# witten_bell

def test_witten_bell_is_as_calculated_by_hand(op):
    p = op.call("witten_bell", np.array([2, 1, 0]), np.full(3, 1 / 3))            # n = 3, u = 2: aab in the lesson
    assert_close(p, np.array([8 / 15, 5 / 15, 2 / 15]), "p")


def test_witten_bell_treats_each_row_by_its_own_counts(op):
    lower = np.array([[1 / 4, 3 / 4], [1 / 2, 1 / 2]])
    assert_close(op.call("witten_bell", np.array([[1, 0], [5, 3]]), lower), np.array([[.625, .375], [.6, .4]]), "p")


def test_with_very_many_counts_witten_bell_comes_near_their_shares(op):
    p = op.call("witten_bell", np.array([3_000_000, 1_000_000]), np.array([0.1, 0.9]))
    assert np.abs(p - [0.75, 0.25]).max() < 1e-6


@hypothesis.given(seed=st.integers(0, 99), shape=st.sampled_from([(4,), (3, 4)]))
def test_witten_bell_agrees_with_exact_fractions(op, seed, shape):
    counts, lower = some_counts(*shape, seed=seed), probabilities(*shape, seed=seed)
    rows = zip(counts.reshape(-1, 4).tolist(), lower.reshape(-1, 4).tolist(), strict=True)
    expected = [[(n + (4 - row.count(0)) * Fraction(q)) / (sum(row) + 4 - row.count(0)) if any(row) else q
                 for n, q in zip(row, below, strict=True)] for row, below in rows]
    assert_close(op.call("witten_bell", counts, lower), np.array(expected, float).reshape(shape), "p")


# absolute_discounting

def test_absolute_discounting_is_as_calculated_by_hand(op):
    p = op.call("absolute_discounting", np.array([3, 1, 0]), np.array([1 / 4, 1 / 4, 1 / 2]), 0.5)
    assert_close(p, np.array([2.75, 0.75, 0.5]) / 4, "p")


def test_absolute_discounting_treats_each_row_by_its_own_counts(op):
    p = op.call("absolute_discounting", np.array([[1, 0], [6, 2]]), np.array([[1 / 4, 3 / 4], [1 / 2, 1 / 2]]), 0.5)
    assert_close(p, np.array([[.625, .375], [.75, .25]]), "p")


def test_a_discount_of_0_gives_the_shares_that_were_counted(op):
    p = op.call("absolute_discounting", np.array([3, 1, 0]), np.full(3, 1 / 3), 0.0)
    assert_close(p, np.array([3 / 4, 1 / 4, 0]), "p")


def test_a_discount_of_1_takes_all_that_was_seen_once(op):
    p = op.call("absolute_discounting", np.array([1, 1, 0, 0]), np.array([.1, .2, .3, .4]), 1.0)
    assert_close(p, np.array([.1, .2, .3, .4]), "p")


# adaptive_bits

def test_adaptive_bits_are_as_calculated_by_hand(op):
    # abab, V = 4: b after a is new, 1/4; a after b too; then b after a has been seen once, (1 + 1) / (1 + 4)
    assert_close(op.call("adaptive_bits", np.array([0, 1, 0, 1]), 4), np.array([2, 2, 2, -math.log2(2 / 5)]), "bits")


def test_what_has_never_been_seen_costs_the_same_whatever_it_is(op):
    texts = [np.array([0, 1, 0, x]) for x in (0, 2, 3)]
    assert_close(np.array([op.call("adaptive_bits", ids, 4)[-1] for ids in texts]), -np.log2([1 / 5] * 3), "bits")


def test_the_probabilities_of_all_that_may_come_next_sum_to_one(op):
    past = [0, 1, 0, 0, 2, 0]
    bits = [op.call("adaptive_bits", np.array([*past, x]), 5)[-1] for x in range(5)]
    assert_close(np.sum(2.0 ** -np.array(bits)), 1.0, "sum")


def test_the_adaptive_probabilities_of_all_texts_of_one_length_sum_to_one(op):
    bits = [op.call("adaptive_bits", np.array(ids), 3).sum() for ids in itertools.product(range(3), repeat=4)]
    assert_close(np.sum(2.0 ** -np.array(bits)), 1.0, "sum")


def test_what_comes_later_does_not_change_what_a_character_costs(op):
    ids = np.random.default_rng(0).integers(4, size=30)
    assert_close(op.call("adaptive_bits", ids[:12], 4), op.call("adaptive_bits", ids, 4)[:12], "bits")


def test_a_text_of_one_character_costs_log2_of_V(op):
    assert_close(op.call("adaptive_bits", np.array([3]), 8), np.array([3.0]), "bits")


def test_a_text_without_characters_costs_nothing(op):
    with may_refuse(op):
        assert_close(op.call("adaptive_bits", np.array([], dtype=int), 8), np.zeros(0), "bits")


def test_where_only_one_character_is_possible_nothing_costs_anything(op):
    assert_close(op.call("adaptive_bits", np.zeros(6, dtype=int), 1), np.zeros(6), "bits")


def test_adapting_leaves_the_text_as_it_was(op):
    ids = np.array([0, 1, 1, 0])
    op.call("adaptive_bits", ids, 2)
    assert_close(ids, np.array([0, 1, 1, 0]), "ids, afterwards,")


@hypothesis.given(ids=st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_adaptive_bits_agree_with_exact_fractions(op, ids):
    past = [list(itertools.pairwise(ids[:i])) for i in range(1, len(ids))]        # the pairs that end before i
    p = [Fraction(pairs.count((a, b)) + 1, sum(first == a for first, _ in pairs) + 4)
         for pairs, (a, b) in zip(past, itertools.pairwise(ids), strict=True)]
    assert_close(op.call("adaptive_bits", np.array(ids), 4), -np.log2(np.array([Fraction(1, 4), *p], float)), "bits")
