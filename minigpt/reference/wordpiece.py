"""WordPiece as on a blackboard: BERT's normalisation, and the longest pieces that a vocabulary has. Slow and clear.

A piece that continues a word is written with ## in front: playing = play + ##ing.
"""
import math
import unicodedata
from collections import Counter
from itertools import pairwise

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST = 100                                          # characters; a longer word is unknown
CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
       (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


def normalise(text, *, lowercase=True):
    """What BERT reads of a text.

        (1) control characters, U+0000 and U+FFFD go; every white space is a space
        (2) a space before and behind each Chinese character: each is a word
        (3) accents go: characters are taken apart (NFD), and the marks dropped (Mn)
        (4) lower case, one character at a time

    lowercase: False leaves out (3) and (4), for a cased vocabulary.
    Source: Devlin et al. 2018, arXiv:1810.04805, and its published code.
    """
    text = "".join(" " if is_space(c) else c for c in text if not is_dropped(c))                  # (1)
    text = "".join(f" {c} " if is_chinese(c) else c for c in text)                                # (2)
    if not lowercase:
        return text
    text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")      # (3)
    return "".join(c.lower() for c in text)                                                       # (4)


def split_words(text):
    """Cut a normalised text at spaces, which go, and around each punctuation mark, which is a word."""
    spaced = "".join(f" {c} " if is_punctuation(c) else c for c in text)
    return spaced.split()


def pieces_of(word, vocabulary):
    """The longest piece that the word begins with, then the longest that the rest begins with, and so on.

        playing -> play + ##ing, if these are the longest; [UNK] if at some place there is none, or it is too long

    vocabulary: a set or dict of pieces. Returns a list of pieces.
    """
    pieces, start = [], 0
    while start < len(word) <= LONGEST:
        ends = range(len(word), start, -1)
        fits = (("##" if start else "") + word[start:end] for end in ends)
        piece = next((piece for piece in fits if piece in vocabulary), None)
        if piece is None:
            return ["[UNK]"]
        pieces.append(piece)
        start += len(piece.removeprefix("##") if start else piece)
    return pieces if len(word) <= LONGEST else ["[UNK]"]


def wordpiece_encode(text, vocabulary, *, lowercase=True):
    """Token ids of a text, without [CLS] and [SEP]. vocabulary: {piece: id}."""
    words = split_words(normalise(text, lowercase=lowercase))
    return [vocabulary[piece] for word in words for piece in pieces_of(word, vocabulary)]


def wordpiece_decode(ids, vocabulary):
    """Words with a space between them, pieces joined; case, accents and the spaces of the text are lost."""
    pieces = {i: piece for piece, i in vocabulary.items()}
    words = []
    for piece in (pieces[i] for i in ids):
        if piece.startswith("##") and words:
            words[-1] += piece[2:]
        else:
            words.append(piece)
    return " ".join(words)


def merge_gain(n_pair, n_left, n_right, n_new, N, *, same):
    """By how much the text becomes more likely, in nats, if a pair of pieces becomes one.

        (5) log-likelihood = sum over pieces x of n_x log(n_x / N)         (each piece drawn by itself)
        (6) gain = what (5) gains as n_left and n_right lose n_pair each, n_new grows by it, and N shrinks by it

    n_pair: how often the two stand side by side; n_left, n_right: how often each occurs; N: pieces in all.
    n_new: how often what they make occurs already (ab + ##c and a + ##bc make the same).
    same: whether the two are the same piece, which then loses 2 n_pair.
    """
    if same:
        gone = n_log_n(n_left - 2 * n_pair) - n_log_n(n_left)
    else:
        gone = (n_log_n(n_left - n_pair) - n_log_n(n_left)) + (n_log_n(n_right - n_pair) - n_log_n(n_right))
    made = n_log_n(n_new + n_pair) - n_log_n(n_new)
    return gone + made - (n_log_n(N - n_pair) - n_log_n(N))                                       # (6)


def n_log_n(n):
    """n log n, and 0 for 0."""
    return n * math.log(n) if n else 0.0


def train_wordpiece(texts, vocab_size, *, lowercase=True, special_tokens=SPECIAL_TOKENS):
    """Learn pieces: the pair whose merging makes the text most likely becomes one piece, again and again.

        pair = argmax gain(pair), ties: smallest id of the left, then of the right piece

    texts: any number of strings. vocab_size: pieces, with the special ones and all characters.
    Returns the vocabulary {piece: id}: special tokens, characters in the order of Unicode (each first as the beginning
    of a word, then with ##), then what merges made. Smaller than asked if no merge gains anything.
    Raises ValueError if vocab_size is too small for the characters.
    Source: Schuster & Nakajima 2012; Wu et al. 2016, arXiv:1609.08144, section 4.1.
    """
    counts = Counter(word for text in texts for word in split_words(normalise(text, lowercase=lowercase)))
    words = {tuple(c if i == 0 else f"##{c}" for i, c in enumerate(word)): n
             for word, n in counts.items() if len(word) <= LONGEST}
    characters = sorted({piece for word in words for piece in word}, key=lambda p: (p.removeprefix("##"), len(p)))
    vocabulary = {piece: i for i, piece in enumerate([*special_tokens, *characters])}
    if vocab_size < len(vocabulary):
        raise ValueError(f"vocab_size={vocab_size} is too small: {len(characters)} characters and "
                         f"{len(special_tokens)} special tokens need {len(vocabulary)}")
    while len(vocabulary) < vocab_size:
        pair = best_pair(words, vocabulary)
        if pair is None:
            break
        new = joined(*pair)
        vocabulary.setdefault(new, len(vocabulary))
        words = {merge_pair(word, pair, new): n for word, n in words.items()}
    return vocabulary


def best_pair(words, vocabulary):
    """The pair of neighbours whose merging gains most, or None if none gains anything. words: {pieces: times}."""
    singles, pairs = Counter(), Counter()
    for word, times in words.items():
        for piece in word:
            singles[piece] += times
        for pair in pairwise(word):
            pairs[pair] += times
    N = sum(singles.values())
    gain = {(a, b): merge_gain(n, singles[a], singles[b], singles[joined(a, b)], N, same=a == b)
            for (a, b), n in pairs.items() if a != b or 2 * n <= singles[a]}  # aaa holds aa twice: no room for two
    best = min(gain, key=lambda pair: (-gain[pair], vocabulary[pair[0]], vocabulary[pair[1]]), default=None)
    return best if best and gain[best] > 0 else None


def joined(left, right):
    """The piece that two neighbours make."""
    return left + right.removeprefix("##")


def merge_pair(word, pair, new):
    """Replace each occurrence of a pair of pieces by one, from left to right, without overlap."""
    merged, i = [], 0
    while i < len(word):
        fits = word[i:i + 2] == tuple(pair)
        merged.append(new if fits else word[i])
        i += 2 if fits else 1
    return tuple(merged)


def is_space(c):
    """White space of any kind, tabs and ends of lines among it."""
    return c in "\t\n\r" or c.isspace()


def is_dropped(c):
    """What is not read at all: U+0000, U+FFFD, control, format and private characters."""
    return c in "\x00\ufffd" or (c not in "\t\n\r" and unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs"))


def is_punctuation(c):
    """What Unicode calls punctuation, and every sign of ASCII: $, + and ^ too."""
    return (c.isascii() and c.isprintable() and not c.isalnum() and c != " ") or unicodedata.category(c)[0] == "P"


def is_chinese(c):
    """A character of the CJK ideographs; not kana, not hangul, which are written with other letters."""
    return any(first <= ord(c) <= last for first, last in CJK)
