"""Our byte-pair encoding beside the `tokenizers` library: the same texts, the same merges, the same ids."""
import json
import statistics
import time
from collections import namedtuple

from minigpt.bpe import BYTE_CHARACTERS
from minigpt.data.embedded import python_docs
from minigpt.errors import InputError
from minigpt.tokenizer import BPETokenizer

try:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
except ModuleNotFoundError as error:
    raise InputError("the benchmark measures against the tokenizers library; pip install tokenizers") from error

# Medians in seconds, ours over theirs, the bar; of n merges or ids that were compared, n_differ differ.
Row = namedtuple("Row", "what ours theirs ratio at_most n n_differ")


def run(*, characters=1_000_000, vocab_size=4096, rounds=7):
    """Measure training and encoding on the documentation of Python, and print a table. Returns its rows."""
    texts = first_characters(python_docs(), characters)
    rows = measure(texts, vocab_size, rounds)
    print(table(rows, sum(map(len, texts)), vocab_size, rounds))
    return rows


def measure(texts, vocab_size, rounds):
    """Rows of the table: training on the texts, then encoding them as one text, ours and theirs in turn.

    Each round encodes with a new tokenizer, so that nothing is remembered from the last one.
    """
    text = "\n\n".join(texts)
    seconds = {key: [] for key in ("train", "train_theirs", "encode", "encode_theirs")}
    for _ in range(rounds):
        ours = timed(seconds["train"], BPETokenizer.train, texts, vocab_size)
        theirs = timed(seconds["train_theirs"], train_theirs, texts, vocab_size)
        ids = timed(seconds["encode"], BPETokenizer(ours.merges).encode, text)
        ids_theirs = timed(seconds["encode_theirs"], Tokenizer.from_str(theirs.to_str()).encode, text).ids
    found = merges_theirs(theirs)
    return [row("training", seconds["train"], seconds["train_theirs"], 1.2, ours.merges, found),
            row("encoding", seconds["encode"], seconds["encode_theirs"], 0.7, ids, ids_theirs)]


def train_theirs(texts, vocab_size, special_tokens=("<|endoftext|>",)):
    """A tokenizer of the `tokenizers` library, trained with our settings."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=list(special_tokens),
                                  initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def merges_theirs(tokenizer):
    """The merges of a tokenizer of the `tokenizers` library, as pairs of bytes."""
    byte = {character: b for b, character in BYTE_CHARACTERS.items()}
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(bytes(byte[c] for c in token) for token in pair) for pair in merges]


def first_characters(texts, characters):
    """The first texts, cut off after so many characters."""
    kept = []
    for text in texts:
        kept.append(text[:characters])
        characters -= len(kept[-1])
    return [text for text in kept if text]


def timed(seconds, function, *args):
    """What the function returns; its wall-clock time is appended to `seconds`."""
    start = time.perf_counter()
    result = function(*args)
    seconds.append(time.perf_counter() - start)
    return result


def row(what, ours, theirs, at_most, found, found_theirs):
    """One row: medians of the seconds, and how many of the merges or ids differ."""
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    differ = sum(a != b for a, b in zip(found, found_theirs, strict=False)) + abs(len(found) - len(found_theirs))
    return Row(what, ours, theirs, ours / theirs, at_most, max(len(found), len(found_theirs)), differ)


def table(rows, characters, vocab_size, rounds):
    """The rows as text."""
    lines = [f"{characters:,} characters of documentation, {vocab_size:,} tokens, medians of {rounds} rounds",
             f"{'':10} {'minigpt':>9} {'tokenizers':>11} {'ratio':>6} {'at most':>8}  same result"]
    for r in rows:
        lines.append(f"{r.what:10} {r.ours:7.3f} s {r.theirs:9.3f} s {r.ratio:6.2f} {r.at_most:8.2f}  "
                     f"{r.n - r.n_differ:,} of {r.n:,}")
    return "\n".join(lines)
