"""The contract of the exercise tokenizer.5: its answer is not in the package."""
import itertools

import hypothesis
import hypothesis.strategies as st
import pytest

from minigpt.grading.compare import Mismatch, assert_close

CATS = {"c": -4.0, "a": -3.0, "t": -3.0, "s": -2.0, "at": -3.5, "cat": -6.0, "cats": -12.0}
TABLES = st.dictionaries(st.text("ab", min_size=1, max_size=4), st.floats(-20, 0, width=16), max_size=8)


class Counted(float):
    """A number that counts how often something is added to one of its kind."""

    additions = 0

    def __add__(self, other):
        Counted.additions += 1
        return Counted(float(self) + float(other))

    __radd__ = __add__


def assert_pieces(got, expected, what):
    got = list(got) if isinstance(got, tuple) else got
    if got != expected:
        raise Mismatch(f"{what}: expected {expected!r:.200}, got {got!r:.200}", what, got, expected)


def assert_refused(op, word, log_p):
    try:
        answer = op.call("unigram_segment", word, log_p)
    except ValueError:
        return
    raise Mismatch(f"{word!r} cannot be made of {sorted(log_p)}: expected a ValueError, got {answer!r:.200}", "error",
                   answer, ValueError)


def assert_cut(op, word, log_p, expected):
    try:
        pieces = op.call("unigram_segment", word, log_p)
    except ValueError:
        op.record("ValueError")
        raise Mismatch(f"{word!r} can be cut into {expected!r}: got a ValueError", "pieces", ValueError,
                       expected) from None
    assert_pieces(pieces, expected, f"pieces of {word}")


def all_cuts(word):
    for marks in itertools.product([False, True], repeat=max(len(word) - 1, 0)):
        borders = [0, *(i for i, mark in enumerate(marks, 1) if mark), len(word)]
        yield [word[s:t] for s, t in itertools.pairwise(borders) if s < t]


def test_a_worked_example(op):
    # cat+s: -8.  c+at+s: -9.5.  c+a+t+s: -12.  cats: -12
    assert_pieces(op.call("unigram_segment", "cats", CATS), ["cat", "s"], "pieces of cats")


@pytest.mark.parametrize(("at", "expected"), [(-1.5, ["c", "at", "s"]), (-3.5, ["cat", "s"])])
def test_a_probable_piece_in_the_middle_can_win(op, at, expected):
    assert_pieces(op.call("unigram_segment", "cats", CATS | {"at": at}), expected, f"pieces of cats, log p(at) = {at}")


def test_the_first_piece_is_not_chosen_by_itself(op):
    log_p = {"a": -1.0, "ab": -3.0, "b": -9.0, "bc": -9.0, "c": -1.0}                # ab+c: -4, a+bc: -10
    assert_pieces(op.call("unigram_segment", "abc", log_p), ["ab", "c"], "pieces of abc")
    log_p = {"ab": -3.0, "c": -9.0, "a": -4.0, "bc": -1.0, "b": -5.0}                # ab+c: -12, a+bc: -5
    assert_pieces(op.call("unigram_segment", "abc", log_p), ["a", "bc"], "pieces of abc")


def test_the_last_piece_is_not_chosen_by_itself(op):
    log_p = {"abc": -2.0, "a": -1.5, "ab": -5.0, "b": -9.0, "bc": -6.0, "c": -1.0}   # abc: -2, ab+c: -6, a+bc: -7.5
    assert_pieces(op.call("unigram_segment", "abc", log_p), ["abc"], "pieces of abc")


def test_many_probable_pieces_can_beat_one(op):
    assert_pieces(op.call("unigram_segment", "aaa", {"a": -1.0, "aa": -2.5, "aaa": -3.5}), ["a", "a", "a"], "of aaa")


def test_bytes_are_cut_like_text(op):
    log_p = {piece.encode(): value for piece, value in CATS.items()}
    assert_pieces(op.call("unigram_segment", b"cats", log_p), [b"cat", b"s"], "pieces of b'cats'")


def test_one_piece_and_no_piece(op):
    assert_pieces(op.call("unigram_segment", "c", CATS), ["c"], "pieces of c")
    assert_pieces(op.call("unigram_segment", "", CATS), [], "pieces of the empty word")


def test_a_dead_end_is_avoided(op):
    # a alone leads nowhere, however probable it is: no piece starts with b
    assert_pieces(op.call("unigram_segment", "abc", {"a": -0.1, "ab": -9.0, "c": -9.0}), ["ab", "c"], "pieces of abc")


def test_a_beginning_that_cannot_be_cut_does_not_stop_the_word(op):
    assert_cut(op, "abc", {"ab": -1.0, "c": -1.0}, ["ab", "c"])
    assert_cut(op, "abc", {"ab": -3.0, "bc": -0.5, "c": -3.0}, ["ab", "c"])          # a is no piece: bc cannot be used


@pytest.mark.parametrize(("word", "log_p"), [
    ("cut", CATS), ("catz", CATS), ("aab", {"aa": -1.0, "ab": -1.0}), ("a", {})])
def test_a_word_that_no_pieces_make_up_is_refused(op, word, log_p):
    assert_refused(op, word, log_p)


def test_not_every_cut_is_tried(op):
    Counted.additions = 0
    log_p = {"a" * n: Counted(-n - 0.5) for n in range(1, 17)}                       # 32,768 cuts of 16 letters
    got = op.call("unigram_segment", "a" * 16, log_p)
    assert_pieces(got, ["a" * 16], "pieces of aaaaaaaaaaaaaaaa")
    if Counted.additions > 1000:                                                     # there are 136 pairs s < t
        raise Mismatch(f"{Counted.additions} additions for 16 letters; 136 are enough", "additions",
                       Counted.additions, 136)


@hypothesis.given(word=st.text("ab", max_size=9), log_p=TABLES)
def test_no_cut_into_known_pieces_is_more_probable(op, word, log_p):
    scores = [sum(log_p[piece] for piece in cut) for cut in all_cuts(word) if set(cut) <= set(log_p)]
    if not scores:
        assert_refused(op, word, log_p)
        return
    pieces = op.call("unigram_segment", word, log_p)
    assert_pieces("".join(pieces), word, "the pieces, joined")
    unknown = [piece for piece in pieces if piece not in log_p]
    assert_pieces(unknown, [], f"unknown pieces in the cut of {word!r}")
    assert_close(sum(log_p[piece] for piece in pieces), max(scores), f"log p of the cut {pieces}")
