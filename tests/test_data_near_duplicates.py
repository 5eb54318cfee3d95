"""Nearly the same texts are found and one of each family stays; judged by comparing all with all."""
import itertools

import numpy as np
import pytest

from minigpt.data.near_duplicates import (
    AT_ONCE,
    bands_for,
    drop_near_duplicates,
    families,
    joined_groups,
    near_duplicates,
)
from minigpt.reference.minhash import candidate_probability

RNG = np.random.default_rng(0)
WORDS = [f"word{i}" for i in range(300)]


def text(n_words):
    return list(RNG.choice(WORDS, n_words))


def changed(words, n):
    words = list(words)
    for i in RNG.choice(len(words), n, replace=False):
        words[i] = "other"
    return words


def runs(words, n=3):
    return {tuple(words[i:i + n]) for i in range(len(words) - n + 1)}


ORIGINALS = [text(80) for _ in range(60)]
TEXTS = [*ORIGINALS, *(changed(words, 1 + i % 9) for i, words in enumerate(ORIGINALS))]


def test_the_pairs_are_those_of_comparing_all_with_all():
    expected = {}
    for i, j in itertools.combinations(range(len(TEXTS)), 2):
        one, other = runs(TEXTS[i]), runs(TEXTS[j])
        if len(one & other) >= 0.8 * len(one | other):
            expected[i, j] = len(one & other) / len(one | other)
    pairs, compared = near_duplicates([" ".join(words) for words in TEXTS])
    assert {(pair.first, pair.second): pair.similarity for pair in pairs} == pytest.approx(expected)
    assert 10 < len(pairs) <= compared < 0.05 * len(TEXTS) ** 2 / 2
    assert [pair.similarity for pair in pairs] == sorted((pair.similarity for pair in pairs), reverse=True)


def test_the_first_of_a_family_stays_and_the_report_says_what_went():
    texts = ["one two three four five six", "quite another text it is", "One two three; four five six!", "", "?",
             "one two three four five six."]
    kept, report = drop_near_duplicates(texts)
    assert kept == [texts[i] for i in (0, 1, 3, 4)]
    assert report.dropped == [2, 5]
    assert str(report) == "6 texts, 3 of 15 pairs compared, 3 nearly the same, 2 texts dropped"


def test_texts_without_words_and_no_texts_have_no_duplicates():
    assert near_duplicates([]) == ([], 0)
    assert near_duplicates(["", "", "!"]) == ([], 0)


def test_a_family_holds_what_is_joined_through_others():
    assert families(6, [(1, 2, 1.0), (4, 5, 1.0), (2, 4, 1.0)]) == [0, 1, 1, 3, 1, 1]


def test_groups_with_nearly_the_same_text_become_one():
    texts = ["one two three four", "five six seven", "eight nine ten", "One two three four", "eleven twelve"]
    assert joined_groups(texts, ["a", "a", "b", "c", "c"]) == ["a", "a", "b", "a", "a"]


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 0.99])
def test_the_bands_find_the_share_that_is_promised_and_fewer_would_not(threshold):
    bands = bands_for(threshold)
    assert candidate_probability(threshold, bands, 128 // bands) >= 0.99
    assert bands == 1 or candidate_probability(threshold, bands // 2, 256 // bands) < 0.99


def test_a_threshold_out_of_range_is_refused():
    with pytest.raises(ValueError, match="threshold=0 must lie above 0"):
        near_duplicates(["a b c"], 0)


def test_a_long_text_is_hashed_in_pieces_with_the_same_result():
    long = " ".join(f"w{i}" for i in range(AT_ONCE + 1000))
    pairs, _ = near_duplicates([long, "short text here", long + " and an end"])
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 2)]
