"""The contract of WordPiece: BERT's normalisation, its longest pieces, and how they are learned."""
import math
import unicodedata

import hypothesis
import hypothesis.strategies as st
import pytest
import tokenizers

from minigpt.grading.compare import Mismatch, assert_close
from minigpt.reference import wordpiece as reference
from minigpt.wordpiece import SPECIAL_TOKENS

HARD = [
    "", " ", "\t\n\r a\u00a0b\u2003c\u3000d\x0be\x0cf\x1cg\x85h", "Crème brûlée À LA Zoë", "naïve cafe\u0301 A\u030a",
    "don't stop-it: 50% of $3.99 (a_b)!", "你好，世界。語言模型 ok", "日本語のテキスト", "한국어 텍스트",
    "हिन्दी العربية עברית ไทย", "👩‍👩‍👧‍👦 🏳️‍🌈 🤗", "zero\u200bwidth\ufeff soft\u00adhyphen",
    "\x00\x01\x7f\ufffd\ue000!", "ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ İI ß ẞ ǅ", "x" * 99, "x" * 100, "x" * 101, "é" * 100,
    "[CLS] [MASK] [sep]", "1234567 3.14 ½ Ⅷ ٣", "¿qué? «oui» “ja” … —", "^`~|<>=+", "\u1100\u1161\u11a8 \u0958",
    "𝕏 𠀀𪜀 豈 丽"]
VOCABULARY = {piece: i for i, piece in enumerate(
    [*SPECIAL_TOKENS, "un", "##aff", "##able", "##a", "##ff", "runn", "run", "##ning", "##ing", "a", "##b", "ab", "!",
     "the", "##the", "你", "x", "##x", "play", "##s", "ß", "é", "e", "3", ".", "##4"])}

# Characters that were the same in 2002: of newer ones, each library knows only those of its own Unicode version.
OLD = unicodedata.ucd_3_2_0
CHARACTERS = st.characters(codec="utf-8").filter(lambda c: OLD.category(c) == unicodedata.category(c) != "Cn")
TEXTS = st.text(CHARACTERS, max_size=40) | st.text("ab x'é你-!\t", max_size=40) | st.sampled_from(HARD)


def assert_equal(got, expected, what):
    if got != expected:
        raise Mismatch(f"{what}: expected {expected!r:.300}, got {got!r:.300}", what, got, expected)


def encode(op, text, vocabulary=VOCABULARY, **options):
    if op.is_torch:
        return op.record(op.get("WordPieceTokenizer")(vocabulary, **options).encode(text))
    return op.call("wordpiece_encode", text, vocabulary, **options)


def decode(op, ids, vocabulary=VOCABULARY):
    if op.is_torch:
        return op.record(op.get("WordPieceTokenizer")(vocabulary).decode(ids))
    return op.call("wordpiece_decode", ids, vocabulary)


def theirs(vocabulary=VOCABULARY, lowercase=True):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return tokenizer


def words_of(tokenizer, text):
    return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


# What is read of a text

@pytest.mark.parametrize(("text", "expected"), [
    ("Crème BRÛLÉE", "creme brulee"), ("a\tb\nc\u00a0d", "a b c d"), ("a\x00b\x01c\ufffdd\u200be", "abcde"),
    ("x你y", "x 你 y"), ("ΣΣ", "σσ"), ("İ", "i"), ("ß", "ß")])
def test_a_worked_example_of_normalisation(op, text, expected):
    assert_equal(op.call("normalise", text), expected, f"normalised {text!r}")


def test_a_cased_vocabulary_keeps_case_and_accents(op):
    assert_equal(op.call("normalise", "Crème\tÀ 你", lowercase=False), "Crème À  你 ", "normalised")


@pytest.mark.parametrize(("text", "expected"), [
    ("don't", ["don", "'", "t"]), (" a  b ", ["a", "b"]), ("50% a_b", ["50", "%", "a", "_", "b"]),
    ("...", [".", ".", "."]), ("¿qué?", ["¿", "qué", "?"]), ("a+b", ["a", "+", "b"]), ("€", ["€"]), ("", [])])
def test_punctuation_is_cut_off_mark_by_mark(op, text, expected):
    assert_equal(list(op.call("split_words", text)), expected, f"words of {text!r}")


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("text", HARD, ids=range(len(HARD)))
def test_the_library_finds_the_same_words_in_hard_text(op, text, lowercase):
    judge = theirs(lowercase=lowercase)
    expected = judge.normalizer.normalize_str(text)
    got = op.call("normalise", text, lowercase=lowercase)
    assert_equal(got, expected, f"normalised {text!r}")
    assert_equal(list(op.call("split_words", got)), words_of(judge, expected), f"words of {text!r}")


# The longest piece first

@pytest.mark.parametrize(("word", "pieces"), [
    ("unaffable", ["un", "##aff", "##able"]), ("running", ["runn", "##ing"]), ("ab", ["ab"]),
    ("aab", ["a", "##a", "##b"]), ("abb", ["ab", "##b"]), ("thethe", ["the", "##the"]), ("qa", ["[UNK]"]),
    ("aq", ["[UNK]"]), ("", [])])
def test_a_word_is_cut_into_the_longest_pieces_from_the_left(op, word, pieces):
    assert_equal(list(op.call("pieces_of", word, VOCABULARY)), pieces, f"pieces of {word}")


@pytest.mark.parametrize(("length", "n_pieces"), [(100, 100), (101, 1)])
def test_a_word_as_long_as_100_characters_is_cut_up_and_a_longer_one_is_unknown(op, length, n_pieces):
    pieces = list(op.call("pieces_of", "x" * length, VOCABULARY))
    assert_equal((len(pieces), pieces[-1]), (n_pieces, "##x" if n_pieces > 1 else "[UNK]"), "how many pieces, the last")


def test_a_worked_example_of_encoding_and_decoding(op):
    ids = [VOCABULARY[piece] for piece in ("un", "##aff", "##able", "!", "the", "[UNK]", "你")]
    assert_equal(encode(op, "Unaffable!\nTHE zebra你"), ids, "ids")
    assert_equal(decode(op, ids), "unaffable ! the [UNK] 你", "text")


@pytest.mark.parametrize("text", ["[CLS] the [MASK]", "[PAD]"])
def test_text_that_spells_a_special_token_is_text(op, text):
    assert_equal(set(encode(op, text)) & {VOCABULARY["[CLS]"], VOCABULARY["[MASK]"], VOCABULARY["[PAD]"]}, set(), "ids")


@pytest.mark.parametrize("text", HARD, ids=range(len(HARD)))
def test_the_library_agrees_on_hard_text(op, text):
    assert_equal(encode(op, text), theirs().encode(text).ids, f"ids of {text!r:.60}")


@hypothesis.given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_the_library_agrees_on_any_text(op, texts):
    judge = theirs()
    for text in texts:
        assert_equal(encode(op, text), judge.encode(text).ids, f"ids of {text!r:.60}")


def test_no_ids_are_no_text_and_no_text_no_ids(op):
    assert_equal(decode(op, []), "", "text")
    assert_equal(encode(op, " \t"), [], "ids")


# Learning

def test_a_worked_example_of_what_a_merge_gains(op):
    # the text a ##b a ##b ##b: 2, 3 of 5. Merged: ab ab ##b: 2 and 1 of 3
    before = 2 * math.log(2 / 5) + 3 * math.log(3 / 5)
    after = 2 * math.log(2 / 3) + 1 * math.log(1 / 3)
    got = op.call("merge_gain", 2, 2, 3, 0, 5, same=False)
    assert_close(got, after - before, "gain")


def test_two_of_the_same_piece_are_lost_where_it_meets_itself(op):
    # ##a ##a ##a ##a: 4 of 4. Merged: ##aa ##aa: 2 of 2; of 5 with one left over: 2 and 1 of 3
    assert_close(op.call("merge_gain", 2, 4, 4, 0, 4, same=True), 0.0, "gain")
    assert_close(op.call("merge_gain", 2, 5, 5, 0, 5, same=True), 2 * math.log(2 / 3) + math.log(1 / 3), "gain")


def test_a_piece_that_is_there_already_grows(op):
    # ab c: 2 and 2; a ##b once each. Merged: ab 3, c 2 of 5
    before = 2 * math.log(2 / 6) + 2 * math.log(2 / 6) + 2 * math.log(1 / 6)
    after = 3 * math.log(3 / 5) + 2 * math.log(2 / 5)
    assert_close(op.call("merge_gain", 1, 1, 1, 2, 6, same=False), after - before, "gain")


def pieces(op, texts, vocab_size, **options):
    return list(op.call("train_wordpiece", texts, vocab_size, **options))


def test_a_worked_example_of_training(op):
    # th and he, 3 times each, are sure of each other; a and b follow by chance
    learned = pieces(op, ["the the the", "ab ba"], 5 + 7 + 2)
    assert_equal(learned[:5], list(SPECIAL_TOKENS), "special tokens")
    assert_equal(learned[5:12], ["a", "##a", "b", "##b", "##e", "##h", "t"], "characters")
    assert_equal(learned[12:], ["##he", "the"], "merges")


def test_the_same_piece_is_not_learned_twice(op):
    learned = pieces(op, ["abcabc abc ab bc c", "abab bcbc cab"], 60)
    assert_equal(len(set(learned)), len(learned), "number of different pieces")


def test_training_ends_when_no_merge_gains_anything(op):
    assert_equal(pieces(op, ["a b"], 100), [*SPECIAL_TOKENS, "a", "b"], "pieces")
    assert_equal(pieces(op, [], 100), list(SPECIAL_TOKENS), "pieces of nothing")


def test_a_vocabulary_without_room_for_all_characters_is_refused(op):
    try:
        answer = repr(pieces(op, ["abc"], 7))
    except ValueError as error:
        answer = str(error)
    assert_equal("vocab_size=7 is too small" in answer, True, f"a refusal of vocab_size=7, not {answer:.99}:")


@hypothesis.given(texts=st.lists(st.text("abcé ", max_size=60), max_size=4), size=st.integers(15, 60))
def test_training_on_any_texts_agrees_with_the_reference(op, texts, size):
    assert_equal(pieces(op, texts, size), list(reference.train_wordpiece(texts, size)), "pieces")


def test_frequent_words_become_one_piece(op):
    learned = pieces(op, ["the cat sat on the mat and the cat ate the rat", "the end of the cat"], 45)
    assert_equal(("the" in learned, "cat" in learned), (True, True), "the, cat learned")
