"""WordPiece, fast: BERT's normalisation by table, and words that are cut up once. See minigpt.reference.wordpiece."""
import unicodedata
from collections import Counter
from itertools import chain

from minigpt.bpe import utf8
from minigpt.errors import InputError
from minigpt.tokenizer_file import wordpiece_document
from minigpt.vocabulary import Tokenizer
from minigpt.wordpiece_training import learn_pieces

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST = 100                                          # characters; a longer word is unknown
CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
       (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


class _Table(dict):
    """What becomes of each character, found when first asked for; for str.translate."""

    def __init__(self, rule):
        super().__init__()
        self._rule = rule

    def __missing__(self, code):
        self[code] = made = self._rule(chr(code))
        return made


def _cleaned(c):
    if c in "\t\n\r" or (c.isspace() and unicodedata.category(c) != "Cc"):
        return " "
    if c in "\x00\ufffd" or unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs"):
        return ""
    return f" {c} " if any(first <= ord(c) <= last for first, last in CJK) else c


def _around_punctuation(c):
    is_ascii_mark = c.isascii() and c.isprintable() and not c.isalnum() and c != " "
    return f" {c} " if is_ascii_mark or unicodedata.category(c)[0] == "P" else c


_CLEAN = _Table(_cleaned)
_PLAIN = _Table(lambda c: "" if unicodedata.category(c) == "Mn" else c.lower())
_SPLIT = _Table(_around_punctuation)


def normalise(text, *, lowercase=True):
    """What BERT reads of a text: no control characters, spaces around Chinese ones, no accents, lower case.

    lowercase: False keeps accents and case. Source: Devlin et al. 2018, arXiv:1810.04805, and its published code.
    """
    text = text.translate(_CLEAN)
    return unicodedata.normalize("NFD", text).translate(_PLAIN) if lowercase else text


def split_words(text):
    """Cut a normalised text at spaces, which go, and around each punctuation mark, which is a word."""
    return text.translate(_SPLIT).split()


def pieces_of(word, vocabulary):
    """The longest piece that the word begins with, then the longest that the rest begins with; else [UNK]."""
    if word in vocabulary:
        return [word] if len(word) <= LONGEST else ["[UNK]"]
    pieces, start = [], 0
    while start < len(word) <= LONGEST:
        rest = ("##" if start else "") + word[start:]
        end = next((end for end in range(len(rest), 2 if start else 0, -1) if rest[:end] in vocabulary), 0)
        if not end:
            return ["[UNK]"]
        pieces.append(rest[:end])
        start += end - 2 if start else end
    return pieces if len(word) <= LONGEST else ["[UNK]"]


def train_wordpiece(texts, vocab_size, *, lowercase=True, special_tokens=SPECIAL_TOKENS):
    """Learn pieces: the pair whose merging makes the text most likely becomes one piece, again and again.

    texts: any number of strings. vocab_size: pieces, with the special ones and all characters.
    Returns {piece: id}, smaller than asked if no merge gains anything. Raises InputError if vocab_size is too small.
    Source: Schuster & Nakajima 2012; Wu et al. 2016, arXiv:1609.08144, section 4.1.
    """
    counts = Counter()
    for text in texts:
        utf8(text)                                     # refuse a broken text before counting it
        counts.update(split_words(normalise(text, lowercase=lowercase)))
    return learn_pieces({word: n for word, n in counts.items() if len(word) <= LONGEST}, vocab_size, special_tokens)


class WordPieceTokenizer(Tokenizer):
    """BERT's tokenizer: the longest pieces that its vocabulary has. What it reads is not all that was written.

    vocabulary: {piece: id} or the pieces in order; it holds [PAD], [UNK], [CLS], [SEP] and [MASK], wherever.
    lowercase: whether case and accents go. encode adds neither [CLS] nor [SEP]; `pair` does.
    """

    _decoder = "WordPiece"

    def __init__(self, vocabulary, *, lowercase=True, special_tokens=SPECIAL_TOKENS):
        super().__init__(list(vocabulary), special_tokens)
        self.lowercase = lowercase
        self._ids = {piece: i for i, piece in enumerate(self.tokens)}
        missing = [token for token in (*SPECIAL_TOKENS, *special_tokens) if token not in self._ids]
        if missing or len(self._ids) < len(self.tokens):
            why = f"{missing[0]} is not among them" if missing else "one of them is there twice"
            raise InputError(f"a vocabulary of {len(self.tokens)} pieces: {why}; use the vocab.txt of a BERT, or train")
        self.special_ids = {token: self._ids[token] for token in self.special_tokens}
        self._ids_of = _Words(self)

    @classmethod
    def train(cls, texts, vocab_size, *, lowercase=True, special_tokens=SPECIAL_TOKENS):
        """Learn pieces from texts until there are vocab_size, or none is worth it (see .vocab_size).

        Raises InputError if vocab_size is too small for the characters of the texts.
        """
        texts = [texts] if isinstance(texts, str) else texts
        vocabulary = train_wordpiece(texts, vocab_size, lowercase=lowercase, special_tokens=special_tokens)
        return cls(vocabulary, lowercase=lowercase, special_tokens=special_tokens)

    def pair(self, first, second=None, *, longest=None):
        """(ids, token types) of [CLS] first [SEP], or [CLS] first [SEP] second [SEP]: lists of one length.

        first, second: token ids. longest: tokens in all; what is too long is cut off, the longer of two first.
        Token types: 0 up to the first [SEP], 1 behind it.
        """
        first, second = list(first), None if second is None else list(second)
        if longest is not None:
            room = longest - (2 if second is None else 3)
            if room < 1:
                raise ValueError(f"longest={longest} leaves no room for a token beside [CLS] and [SEP]; try 128")
            while len(first) + len(second or ()) > room:
                (second if second and len(second) > len(first) else first).pop()
        cls, sep = self.special_ids["[CLS]"], self.special_ids["[SEP]"]
        tail = [] if second is None else [*second, sep]
        return [cls, *first, sep, *tail], [0] * (len(first) + 2) + [1] * len(tail)

    def decode(self, ids):
        """Words with a space between them, pieces joined; case, accents and the spaces of the text are lost."""
        return " ".join(self._tokens_of(ids)).replace(" ##", "")

    def _encode(self, text):
        words = split_words(normalise(text, lowercase=self.lowercase))
        return list(chain.from_iterable(map(self._ids_of.__getitem__, words)))

    def _document(self):
        return wordpiece_document(self.special_ids, self.tokens, lowercase=self.lowercase)

    @classmethod
    def _from_document(cls, document, special_tokens):
        pieces = list(document["model"]["vocab"])
        return cls(pieces, lowercase=document["normalizer"]["lowercase"], special_tokens=special_tokens)


class _Words(dict):
    """Ids of each word: found when first asked for, then remembered, but not without end."""

    def __init__(self, tokenizer):
        super().__init__()
        self._vocabulary = tokenizer._ids

    def __missing__(self, word):
        if len(self) > 2**18:                          # a server must not grow with every new word
            self.clear()
        self[word] = ids = [self._vocabulary[piece] for piece in pieces_of(word, self._vocabulary)]
        return ids
