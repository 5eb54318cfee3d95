"""Typical wrong answers for WordPiece."""
import math
import unicodedata
from collections import Counter

from minigpt.reference import wordpiece as right
from mistakes import mistake


@mistake("normalise", "accents are not taken off: é must be e, so characters are taken apart first (equation 3)")
def accents_stay(text, *, lowercase=True):
    cleaned = right.normalise(text, lowercase=False)
    return "".join(c.lower() for c in cleaned) if lowercase else cleaned


@mistake("normalise", "what is not ASCII is thrown away with the accents (equation 3)")
def everything_but_ascii_goes(text, *, lowercase=True):
    return right.normalise(text, lowercase=lowercase).encode("ascii", "ignore").decode()


@mistake("normalise", "control characters stay in the text (equation 1)")
def control_characters_stay(text, *, lowercase=True):
    text = "".join(" " if c.isspace() else f" {c} " if right.is_chinese(c) else c for c in text)
    text = unicodedata.normalize("NFD", text) if lowercase else text
    return "".join(c.lower() for c in text if unicodedata.category(c) != "Mn") if lowercase else text


@mistake("normalise", "Chinese characters are not words of their own (equation 2)")
def chinese_characters_stay_together(text, *, lowercase=True):
    text = "".join(" " if right.is_space(c) else c for c in text if not right.is_dropped(c))
    text = unicodedata.normalize("NFD", text) if lowercase else text
    return "".join(c.lower() for c in text if unicodedata.category(c) != "Mn") if lowercase else text


@mistake("normalise", "the text is lowered as a whole: the last sigma of a word then becomes another letter")
def whole_text_lowered(text, *, lowercase=True):
    text = right.normalise(text, lowercase=False)
    if not lowercase:
        return text
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn").lower()


@mistake("normalise", "a cased vocabulary loses its case: lowercase=False leaves out equations 3 and 4")
def always_lower(text, *, lowercase=True):
    return right.normalise(text)


@mistake("split_words", "only ASCII punctuation is cut off")
def ascii_punctuation_only(text):
    return "".join(f" {c} " if c.isascii() and right.is_punctuation(c) else c for c in text).split()


@mistake("split_words", "marks that stand together stay together: each is a word")
def runs_of_punctuation(text):
    words, before = [], " "
    for c in text:
        kind = " " if c == " " else "p" if right.is_punctuation(c) else "w"
        words.append(c) if kind != before else words.__setitem__(-1, words[-1] + c)
        before = kind
    return [word.strip() for word in words if word.strip()]


@mistake("split_words", "symbols such as $ and + are no punctuation in Unicode, but they are for BERT")
def unicode_punctuation_only(text):
    return "".join(f" {c} " if unicodedata.category(c)[0] == "P" else c for c in text).split()


@mistake("pieces_of", "the shortest piece is taken, not the longest")
def shortest_first(word, vocabulary):
    pieces, start = [], 0
    while start < len(word) <= right.LONGEST:
        fits = (("##" if start else "") + word[start:end] for end in range(start + 1, len(word) + 1))
        piece = next((piece for piece in fits if piece in vocabulary), None)
        if piece is None:
            return ["[UNK]"]
        pieces.append(piece)
        start += len(piece) - 2 * bool(start)
    return pieces if len(word) <= right.LONGEST else ["[UNK]"]


@mistake("pieces_of", "pieces inside a word are looked up without ##")
def without_the_mark(word, vocabulary):
    pieces, start = [], 0
    while start < len(word) <= right.LONGEST:
        fits = (word[start:end] for end in range(len(word), start, -1))
        piece = next((piece for piece in fits if piece in vocabulary), None)
        if piece is None:
            return ["[UNK]"]
        pieces.append(piece)
        start += len(piece)
    return pieces if len(word) <= right.LONGEST else ["[UNK]"]


@mistake("pieces_of", "only what has no piece is unknown; it must be the whole word")
def unknown_inside_a_word(word, vocabulary):
    pieces, start = [], 0
    while start < len(word) <= right.LONGEST:
        fits = (("##" if start else "") + word[start:end] for end in range(len(word), start, -1))
        pieces.append(next((piece for piece in fits if piece in vocabulary), "[UNK]"))
        start += 1 if pieces[-1] == "[UNK]" else len(pieces[-1]) - 2 * bool(start)
    return pieces if len(word) <= right.LONGEST else ["[UNK]"]


@mistake("pieces_of", "words of more than 100 characters are cut up too: they are unknown")
def no_longest_word(word, vocabulary):
    pieces, start = [], 0
    while start < len(word):
        fits = (("##" if start else "") + word[start:end] for end in range(len(word), start, -1))
        piece = next((piece for piece in fits if piece in vocabulary), None)
        if piece is None:
            return ["[UNK]"]
        pieces.append(piece)
        start += len(piece) - 2 * bool(start)
    return pieces


@mistake("wordpiece_decode", "every piece gets a space before it: ## joins a piece to the one before")
def spaces_everywhere(ids, vocabulary):
    pieces = {i: piece for piece, i in vocabulary.items()}
    return " ".join(pieces[i].removeprefix("##") for i in ids)


@mistake("merge_gain", "the pair's count alone decides: that is byte-pair encoding")
def count_alone(n_pair, n_left, n_right, n_new, N, *, same):
    return float(n_pair)


@mistake("merge_gain", "a pair of the same piece takes two of it, not one")
def same_piece_counted_once(n_pair, n_left, n_right, n_new, N, *, same):
    return right.merge_gain(n_pair, n_left, n_right, n_new, N, same=False)


@mistake("merge_gain", "what the pair makes may be there already: its n_new occurrences count (equation 6)")
def new_piece_is_always_new(n_pair, n_left, n_right, n_new, N, *, same):
    return right.merge_gain(n_pair, n_left, n_right, 0, N, same=same)


@mistake("merge_gain", "N shrinks as well: after a merge there are n_pair pieces fewer (equation 6)")
def number_of_pieces_stays(n_pair, n_left, n_right, n_new, N, *, same):
    shrinks = right.n_log_n(N - n_pair) - right.n_log_n(N)
    return right.merge_gain(n_pair, n_left, n_right, n_new, N, same=same) + shrinks


@mistake("train_wordpiece", "the ratio n_ab / (n_a n_b) is not the gain: it prefers the rarest characters (equation 6)")
def ratio_of_counts(texts, vocab_size, *, lowercase=True, special_tokens=right.SPECIAL_TOKENS):
    def gain(n_pair, n_left, n_right, n_new, N, *, same):
        return math.log(n_pair * N / (n_left * n_right)) + 1e-9
    return _trained(gain, texts, vocab_size, lowercase, special_tokens)


@mistake("train_wordpiece", "every word counts once, however often it occurs")
def words_count_once(texts, vocab_size, *, lowercase=True, special_tokens=right.SPECIAL_TOKENS):
    words = Counter(w for text in texts for w in right.split_words(right.normalise(text, lowercase=lowercase)))
    return right.train_wordpiece([" ".join(words)], vocab_size, lowercase=lowercase, special_tokens=special_tokens)


def _trained(gain, texts, vocab_size, lowercase, special_tokens):
    kept, right.merge_gain = right.merge_gain, gain
    try:
        return right.train_wordpiece(texts, vocab_size, lowercase=lowercase, special_tokens=special_tokens)
    finally:
        right.merge_gain = kept
