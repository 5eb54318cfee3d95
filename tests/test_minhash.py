"""The contract of minhash: shingles, signatures, and which pairs of texts are worth comparing."""
import itertools
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.grading.compare import Mismatch, Tolerance, assert_close, refused, untouched
from minigpt.reference.minhash import P

SETS = st.sets(st.integers(0, 30), max_size=20)
EXACT = Tolerance(0, 0)     # whole numbers


def generator(op, seed=0):
    return torch.Generator().manual_seed(seed) if op.is_torch else np.random.default_rng(seed)


def members(numbers):
    return np.array(sorted(numbers), dtype=np.int64)


def overlapping(common, own):
    """Two sets, `common` members in both, `own` in one only; numbers as crc32 gives them, without order."""
    numbers = np.random.default_rng(1).choice(P, common + 2 * own, replace=False)
    return np.sort(numbers[:common + own]), np.sort(np.append(numbers[:common], numbers[common + own:]))


def functions(n_hashes, seed=0):
    """a and b of eq. 3, drawn here: a signature can be judged alone."""
    rng = np.random.default_rng(seed)
    return rng.integers(1, P, n_hashes), rng.integers(0, P, n_hashes)


def drawn(op, n_hashes, seed=0):
    return op.call("hash_functions", n_hashes, generator(op, seed))


def pairs_of(op, signatures, bands):
    pairs = op.call("candidate_pairs", signatures, bands)
    if isinstance(pairs, list | tuple | set):
        kind = type(pairs).__name__
        raise Mismatch(f"the pairs are a {kind}, expected one array of shape (M, 2)", "pairs", pairs, kind)
    return [tuple(pair) for pair in pairs.tolist()]


def assert_equal(got, expected, what):
    if got != expected:
        raise Mismatch(f"{what}: expected {expected!r:.200}, got {got!r:.200}", what, got, expected)


# Shingles

def test_broders_example_has_three_different_runs_of_four_words(op):
    # (a rose is a), (rose is a rose), (is a rose is); the last two places repeat the first two
    got = op.call("shingles", "a rose is a rose is a rose", 4)
    assert_close(got, np.array([432980536, 561776462, 1787780073]), "shingles", EXACT)


def test_a_run_is_three_words_unless_told(op):
    got = op.call("shingles", "one two three four")
    assert_close(got, op.call("shingles", "one two three four", 3), "shingles", EXACT)
    assert_equal(len(got), 2, "runs of four words")


@pytest.mark.parametrize("other", ["One, two: THREE!", "one\n two\tthree", "one__two--three"])
def test_case_signs_and_spaces_do_not_count(op, other):
    assert_close(op.call("shingles", other, 2), op.call("shingles", "one two three", 2), "shingles", EXACT)


def test_the_order_of_words_counts(op):
    same = set(op.call("shingles", "one two three", 2).tolist()) & set(op.call("shingles", "three two one", 2).tolist())
    assert_equal(same, set(), "runs of a text that are in its reverse")


def test_a_text_shorter_than_a_run_is_one_and_a_text_without_words_has_none(op):
    assert_close(op.call("shingles", "Two words", 3), op.call("shingles", "two words", 2), "shingles", EXACT)
    assert_close(op.call("shingles", " ... ", 3), members([]), "shingles of no words", EXACT)


def test_each_character_of_chinese_is_a_word(op):
    assert_equal(len(op.call("shingles", "真的很失望", 3)), 3, "runs of five characters")


@hypothesis.given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=12), st.integers(1, 4))
def test_there_are_as_many_as_different_runs(op, words, n):
    runs = {tuple(words[i:i + n]) for i in range(len(words) - n + 1)} or ({tuple(words)} - {()})
    got = op.call("shingles", " ".join(words), n)
    assert_equal(len(got), len(runs), f"runs of {n} in {words}")
    assert_close(got, members(set(got.tolist())), "shingles, sorted, each once", EXACT)


# Jaccard

def test_two_of_four_in_common_is_a_half(op):
    assert_close(op.call("jaccard", members([1, 2, 3]), members([2, 3, 4])), 0.5, "J")


@hypothesis.given(SETS, SETS)
def test_jaccard_agrees_with_pythons_sets(op, s, t):
    expected = len(s & t) / len(s | t) if s | t else 1.0
    assert_close(op.call("jaccard", members(s), members(t)), expected, f"J of {s} and {t}")


# Signatures

def test_a_worked_signature(op):
    # x: 2, 4, 10.  h_1 = x: smallest 2.  h_2 = 3x + 5: 11, 17, 35.  h_3 = (P-1) x: -x mod P, smallest P - 10
    got = op.call("minhash", members([2, 4, 10]), np.array([1, 3, P - 1]), np.array([0, 5, 0]))
    assert_close(got, np.array([2, 11, P - 10]), "signature", EXACT)


def test_large_numbers_do_not_overflow(op):
    got = op.call("minhash", members([P - 1, P - 2]), np.array([P - 1, P - 2]), np.array([P - 1, 7]))
    assert_close(got, np.array([0, 9]), "signature", EXACT)


def test_no_members_give_P_everywhere(op):
    assert_close(op.call("minhash", members([]), *functions(5)), np.full(5, P), "signature", EXACT)


def test_a_single_member_gives_its_own_values(op):
    got = op.call("minhash", members([5]), np.array([1, 2]), np.array([0, P - 3]))
    assert_close(got, np.array([5, 7]), "signature", EXACT)


@hypothesis.given(st.sets(st.integers(0, P - 1), max_size=9), st.integers(0, 9))
def test_a_signature_agrees_with_pythons_integers(op, s, seed):
    a, b = functions(5, seed)
    expected = [min(((int(a_k) * x + int(b_k)) % P for x in s), default=P) for a_k, b_k in zip(a, b, strict=True)]
    assert_close(op.call("minhash", members(s), a, b), np.array(expected), f"signature of {sorted(s)}", EXACT)


def test_strided_arrays_give_the_same(op):
    s, (a, b) = members(range(100, 108)), functions(6)
    got = op.call("minhash", s[::2], a[::2], b[::2])
    assert_close(got, op.call("minhash", s[::2].copy(), a[::2].copy(), b[::2].copy()), "signature", EXACT)
    signatures = np.arange(24).reshape(2, 12) % 3
    assert_equal(pairs_of(op, signatures[:, ::2], 3), pairs_of(op, signatures[:, ::2].copy(), 3), "pairs")


@hypothesis.given(SETS, SETS, st.integers(0, 5))
def test_the_signature_of_a_union_is_the_smaller_of_both(op, s, t, seed):
    a, b = functions(7, seed)
    one, other, both = (op.call("minhash", members(x), a, b) for x in (s, t, s | t))
    assert_close(both, np.minimum(one, other), "signature of the union", EXACT)


def test_minhash_leaves_its_inputs_untouched(op):
    s, (a, b) = members(range(9)), functions(4)
    with untouched(s=s, a=a, b=b):
        op.call("minhash", s, a, b)


def test_hash_functions_are_drawn_from_their_ranges_and_by_the_generator(op):
    a, b = drawn(op, 1000)
    for name, x, least in (("a", a, 1), ("b", b, 0)):
        assert_equal(x.shape, (1000,), f"shape of {name}")
        assert_equal(bool((x >= least).all() and (x < P).all()), True, f"{name} within its range")
        assert_close(x.mean() / P, 0.5, f"mean of {name} / P", Tolerance(0, 4.5 / math.sqrt(12 * 1000)))
    assert_equal(bool((drawn(op, 9)[0] == drawn(op, 9)[0]).all()), True, "same draw again")
    assert_equal(bool((drawn(op, 9)[0] == drawn(op, 9, seed=1)[0]).any()), False, "draws of two seeds")
    rng = generator(op)
    first, second = (op.call("hash_functions", 9, rng)[0] for _ in range(2))
    assert_equal(bool((first == second).any()), False, "two draws of one generator")


# The estimate

def test_an_estimate_by_hand_counts_the_places_that_agree(op):
    got = op.call("jaccard_estimate", np.array([7, 3, 9, 3]), np.array([7, 9, 3, 3]))
    assert_close(got, np.array(0.5), "J'")
    many = op.call("jaccard_estimate", np.array([[1, 2], [1, 3], [4, 5]]), np.array([1, 2]))
    assert_close(many, np.array([1.0, 0.5, 0.0]), "J' of three at once")


@pytest.mark.parametrize(("common", "own"), [(0, 50), (20, 40), (60, 20), (90, 5), (100, 0)])
def test_the_estimate_is_right_on_average(op, common, own):
    """Over 1,500 hash functions, within 4.5 standard deviations of eq. 5."""
    s, t = overlapping(common, own)
    expected = common / (common + 2 * own)
    a, b = functions(1500, seed=2)
    got = op.call("jaccard_estimate", op.call("minhash", s, a, b), op.call("minhash", t, a, b))
    slack = 4.5 * math.sqrt(expected * (1 - expected) / 1500)
    assert_close(got, np.array(expected), "J'", Tolerance(0, slack))


def test_the_error_bound_by_hand(op):
    # 2 exp(-2 K e^2) = 0.05 at K = 128: e = sqrt(log 40 / 256) = 0.12004
    assert_close(op.call("error_bound", 128), 0.120040, "e", Tolerance(1e-5, 0))
    assert_close(op.call("error_bound", 512), op.call("error_bound", 128) / 2, "e at four times the hash functions")
    assert_close(op.call("error_bound", 50, 0.99), math.sqrt(math.log(200) / 100), "e at 99%")


# Bands

def test_the_s_curve_by_hand(op):
    # two bands of three rows at J = 1/2: a band agrees in 1/8, none of two in (7/8)^2 = 49/64
    assert_close(op.call("candidate_probability", np.array([0.0, 0.5, 1.0]), 2, 3), np.array([0, 15 / 64, 1]), "P")


@hypothesis.given(st.integers(1, 20), st.integers(1, 8))
def test_the_s_curve_rises_from_0_to_1_and_with_every_band(op, bands, rows):
    J = np.linspace(0, 1, 21)
    P_ = op.call("candidate_probability", J, bands, rows)
    assert_equal(bool((np.diff(P_) >= 0).all()), True, "P rises with J")
    assert_close(P_[[0, -1]], np.array([0.0, 1.0]), "P at 0 and 1")
    assert_equal(bool((op.call("candidate_probability", J, bands + 1, rows) >= P_).all()), True, "P rises with b")


def test_candidates_by_hand(op):
    #                   band 0  band 1
    signatures = np.array([[1, 2, 3, 4],
                           [1, 2, 9, 9],       # like the first in band 0
                           [9, 9, 3, 4],       # like the first in band 1
                           [3, 4, 1, 2],       # the same in other bands: not like the first
                           [1, 9, 3, 9]])      # agrees with the first in half of each band: in none
    assert_equal(pairs_of(op, signatures, 2), [(0, 1), (0, 2)], "pairs")


def test_all_of_a_bucket_are_paired_once_each(op):
    assert_equal(pairs_of(op, np.full((4, 6), 7), 3), list(itertools.combinations(range(4), 2)), "pairs")


def test_without_anything_alike_there_are_no_pairs(op):
    got = op.call("candidate_pairs", np.arange(12).reshape(3, 4), 2)
    assert_close(got, np.zeros((0, 2), dtype=np.int64), "pairs", EXACT)


def test_bands_of_unequal_size_are_refused(op):
    with refused("12 hash functions in 5 bands"):
        op.call("candidate_pairs", np.zeros((2, 12), dtype=np.int64), 5)


@hypothesis.given(st.lists(st.lists(st.integers(0, 1), min_size=6, max_size=6), max_size=7),
                  st.sampled_from([1, 2, 3, 6]))
def test_candidates_are_those_of_comparing_all_with_all(op, rows, bands):
    signatures = np.array(rows, dtype=np.int64).reshape(-1, 6)
    expected = [(i, j) for i, j in itertools.combinations(range(len(rows)), 2)
                if (signatures[i] == signatures[j]).reshape(bands, -1).all(axis=1).any()]
    assert_equal(pairs_of(op, signatures, bands), expected, "pairs")


def test_pairs_become_candidates_as_often_as_the_s_curve_says(op):
    """1,500 pairs at J = 1/2, 2 bands of 3 rows, within 4.5 standard deviations."""
    a, b = functions(6 * 1500, seed=3)
    one, other = (op.call("minhash", x, a, b).reshape(-1, 6) for x in overlapping(40, 20))
    agrees = (one == other).reshape(-1, 2, 3).all(axis=2).any(axis=1)
    expected = float(op.call("candidate_probability", np.array(0.5), 2, 3))
    slack = 4.5 * math.sqrt(expected * (1 - expected) / 1500)
    assert_close(np.array(agrees.mean()), np.array(expected), "share of candidates", Tolerance(0, slack))
