"""WordPieceTokenizer: its file, its special tokens, and pairs of texts."""
import pytest
import tokenizers

from minigpt.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer

TRAINED = WordPieceTokenizer.train(["the cat sat on the mat", "a cat and a mat sat"], 40)


@pytest.mark.parametrize("lowercase", [True, False])
def test_the_file_is_read_by_the_library_and_gives_the_same_ids(tmp_path, lowercase):
    tokenizer = WordPieceTokenizer(TRAINED.tokens, lowercase=lowercase)
    tokenizer.save(tmp_path / "tokenizer.json")
    judge = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in ["The CAT sat!", "a mat", ""]:
        assert judge.encode(text, add_special_tokens=False).ids == tokenizer.encode(text)
        assert judge.encode(text).ids == tokenizer.pair(tokenizer.encode(text))[0]
        assert judge.encode(text, "the mat").type_ids == tokenizer.pair(*map(tokenizer.encode, (text, "the mat")))[1]
        ids = tokenizer.encode(text)
        assert judge.decode(ids, skip_special_tokens=False) == tokenizer.decode(ids)


def test_the_file_comes_back_as_it_was(tmp_path):
    TRAINED.save(tmp_path / "tokenizer.json")
    again = WordPieceTokenizer.load(tmp_path / "tokenizer.json")
    assert (again.tokens, again.special_ids, again.lowercase) == (TRAINED.tokens, TRAINED.special_ids, True)


def test_special_tokens_may_stand_anywhere_in_a_vocabulary():
    tokenizer = WordPieceTokenizer(["[PAD]", "[unused0]", "the", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    assert tokenizer.encode("the [MASK]", allowed_special=True) == [2, 6]
    assert tokenizer.encode("what") == [3]


@pytest.mark.parametrize(("pieces", "why"), [(["a", "b"], r"\[PAD\] is not among them"),
                                             ([*SPECIAL_TOKENS, "a", "a"], "there twice")])
def test_a_vocabulary_that_cannot_be_one_is_refused(pieces, why):
    with pytest.raises(ValueError, match=why):
        WordPieceTokenizer(pieces)


@pytest.mark.parametrize(("longest", "ids", "types"), [
    (None, [2, 10, 11, 12, 3, 20, 21, 3], [0] * 5 + [1] * 3), (7, [2, 10, 11, 3, 20, 21, 3], [0] * 4 + [1] * 3),
    (5, [2, 10, 3, 20, 3], [0] * 3 + [1] * 2)])
def test_a_pair_is_cut_where_it_is_longer(longest, ids, types):
    assert TRAINED.pair([10, 11, 12], [20, 21], longest=longest) == (ids, types)


def test_a_pair_without_room_is_refused():
    with pytest.raises(ValueError, match="longest=2"):
        TRAINED.pair([10], longest=2)
