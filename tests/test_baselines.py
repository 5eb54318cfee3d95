"""The counting model against a hand calculation and a model of dictionaries; xz against what it must do."""
import math
import string
from collections import Counter

import numpy as np
import pytest

from minigpt.baselines import char_ngram_bits, char_ngram_probabilities, unigram_bits, xz_bits


def dictionary_probability(train, past, character, order):
    """Equation (2) of minigpt.baselines read aloud, with a dictionary for each length of context."""
    p = 1 / (len(set(train)) + 1)
    for k in range(min(order - 1, len(past)) + 1):
        context = past[len(past) - k:]
        after = Counter(train[i + k] for i in range(len(train) - k) if train[i:i + k] == context)
        n, u = after.total(), len(after)
        if n:
            p = (after[character] + u * p) / (n + u)
    return p


def sentence(rng, length, alphabet):
    return "".join(rng.choice(list(alphabet), size=length))


def test_a_worked_example():
    # "aab": V = 3, n = 3, u = 2. p(a) = (2 + 2/3)/5; then after "a" came a and b, once each: p(b|a) = (1 + 2 p(b))/4
    p_a, p_b = 8 / 15, 1 / 3
    np.testing.assert_allclose(char_ngram_probabilities("aab", "ab", order=2), [p_a, (1 + 2 * p_b) / 4], rtol=1e-15)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_the_model_agrees_with_dictionaries(order):
    rng = np.random.default_rng(order)
    train, heldout = sentence(rng, 300, "abcd é𝔸"), sentence(rng, 60, "abcd é𝔸?€")
    expected = [dictionary_probability(train, heldout[:i], heldout[i], order) for i in range(len(heldout))]
    np.testing.assert_allclose(char_ngram_probabilities(train, heldout, order), expected, rtol=1e-12)


@pytest.mark.parametrize("context", ["", "a", "ab", "dcab", "abcabc", "zzz", "abz", "b\n"])
def test_probabilities_over_the_alphabet_sum_to_one(context):
    train = sentence(np.random.default_rng(0), 200, "abcd\n")
    alphabet = [*sorted(set(train)), "?"]                     # one that stands for all unseen
    total = sum(char_ngram_probabilities(train, context + last, order=4)[-1] for last in alphabet)
    assert total == pytest.approx(1, abs=1e-12)


def test_bits_are_the_mean_of_minus_log2_of_the_probabilities():
    p = char_ngram_probabilities("abracadabra", "cab", order=3)
    assert char_ngram_bits("abracadabra", "cab", order=3) == pytest.approx(-sum(map(math.log2, p)) / 3, rel=1e-15)


def test_a_context_longer_than_the_training_text_does_no_harm():
    assert char_ngram_bits("ab", "ababab", order=6) == pytest.approx(char_ngram_bits("ab", "ababab", order=2))


def test_unigram_bits_of_evenly_used_letters_come_near_log2_of_their_number():
    assert unigram_bits("abcdefgh" * 5000, "hgfedcba") == pytest.approx(3, abs=1e-3)


def test_more_context_costs_fewer_bits_on_text_that_repeats():
    train, heldout = "the cat sat on the mat. " * 50, "the cat sat on the mat. " * 3
    assert char_ngram_bits(train, heldout, order=6) < 0.5 * unigram_bits(train, heldout)


def test_xz_pays_almost_nothing_for_what_it_has_seen():
    text = sentence(np.random.default_rng(0), 20_000, string.ascii_letters)
    assert xz_bits(text, text[3000:13_000]) < 0.1


def test_xz_pays_the_entropy_for_noise():
    rng = np.random.default_rng(0)
    train, heldout = sentence(rng, 20_000, "abcdefghijklmnop"), sentence(rng, 20_000, "abcdefghijklmnop")
    assert 4 <= xz_bits(train, heldout) < 4.6


def test_xz_bits_are_per_character_not_per_byte():
    rng = np.random.default_rng(0)
    train, heldout = sentence(rng, 20_000, "абвгдежзийклмноп"), sentence(rng, 20_000, "абвгдежзийклмноп")
    assert 4 <= xz_bits(train, heldout) < 5.5                 # two bytes each: half of that if bytes were counted


@pytest.mark.parametrize(("train", "heldout", "order"), [("", "a", 2), ("a", "", 2), ("a", "a", 0)])
def test_empty_texts_and_orders_below_one_are_refused(train, heldout, order):
    with pytest.raises(ValueError, match=f"order={order}"):
        char_ngram_bits(train, heldout, order)


def test_xz_refuses_an_empty_heldout_text():
    with pytest.raises(ValueError, match="0 characters held out"):
        xz_bits("a", "")
