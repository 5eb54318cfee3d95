"""Typical wrong answers for MinHash."""
import zlib

import numpy as np
import regex

from minigpt.reference import minhash as right
from minigpt.reference.minhash import P
from mistakes import mistake

WORD = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}]|[\p{L}\p{M}\p{N}]+")


def numbered(runs):
    return np.array([zlib.crc32(run.encode()) % P for run in runs], dtype=np.int64)


def runs_of(words, n):
    return [" ".join(words[i:i + n]) for i in range(max(len(words) - n + 1, min(len(words), 1)))]


@mistake("shingles", "the runs do not overlap: one begins at every word (equation 1)")
def no_overlap(text, n=3):
    words = WORD.findall(text.casefold())
    return np.unique(numbered(" ".join(words[i:i + n]) for i in range(0, len(words), n)))


@mistake("shingles", "a run that comes again is there again; a set has each once (equation 1)")
def repeated(text, n=3):
    return np.sort(numbered(runs_of(WORD.findall(text.casefold()), n)))


@mistake("shingles", "the last run is missing: n words among N begin at N - n + 1 places (equation 1)")
def last_missing(text, n=3):
    words = WORD.findall(text.casefold())
    return np.unique(numbered(runs_of(words, n)[:-1] if len(words) > n else runs_of(words, n)))


@mistake("shingles", "the last runs have fewer than n words: n words among N begin at N - n + 1 places (equation 1)")
def cut_short_at_the_end(text, n=3):
    words = WORD.findall(text.casefold())
    return np.unique(numbered(" ".join(words[i:i + n]) for i in range(len(words))))


@mistake("shingles", "the numbers are not below P: mod P is missing (equation 1)")
def without_mod_p(text, n=3):
    runs = runs_of(WORD.findall(text.casefold()), n)
    return np.unique(np.array([zlib.crc32(run.encode()) for run in runs], dtype=np.int64))


@mistake("shingles", "a text shorter than a run has nothing; it is one run")
def short_text_empty(text, n=3):
    words = WORD.findall(text.casefold())
    return right.shingles(text, n) if len(words) >= n else np.zeros(0, dtype=np.int64)


@mistake("shingles", "upper and lower case make different words")
def case_kept(text, n=3):
    return np.unique(numbered(runs_of(WORD.findall(text), n)))


@mistake("shingles", "words are cut at spaces, so that signs stay on them, and Chinese is one word")
def cut_at_spaces(text, n=3):
    return np.unique(numbered(runs_of(text.casefold().split(), n)))


@mistake("shingles", "single words, not runs of n: their order is lost (equation 1)")
def single_words(text, n=3):
    return right.shingles(text, 1)


@mistake("shingles", "the runs are of characters; here they are of words (equation 1)")
def of_characters(text, n=3):
    text = " ".join(WORD.findall(text.casefold()))
    return np.unique(numbered(text[i:i + n] for i in range(max(len(text) - n + 1, min(len(text), 1)))))


@mistake("jaccard", "divided by the sum of both sizes, which counts what is common twice (equation 2)")
def by_the_sum(s, t):
    return 2 * len(np.intersect1d(s, t)) / (len(s) + len(t)) if len(s) + len(t) else 1.0


@mistake("jaccard", "divided by the smaller set: that is whether one contains the other (equation 2)")
def by_the_smaller(s, t):
    smaller = min(len(s), len(t))
    return len(np.intersect1d(s, t)) / smaller if smaller else float(len(s) == len(t))


@mistake("jaccard", "two empty sets have nothing in common, but they are the same: 1")
def empty_is_0(s, t):
    return len(np.intersect1d(s, t)) / max(len(np.union1d(s, t)), 1)


@mistake("hash_functions", "a may be 0: then every number gets the same value (equation 3)")
def a_from_0(n_hashes, rng):
    a, b = right.hash_functions(n_hashes, rng)
    return np.where(np.arange(n_hashes) == 0, 0, a), b


@mistake("hash_functions", "drawn far below P: the smallest values then come from the smallest numbers (equation 3)")
def drawn_small(n_hashes, rng):
    return rng.integers(1, 1000, n_hashes), rng.integers(0, 1000, n_hashes)


@mistake("hash_functions", "the same functions each time: the generator is made anew inside")
def always_the_same(n_hashes, rng):
    return right.hash_functions(n_hashes, np.random.default_rng(0))


@mistake("minhash", "the largest value is taken, not the smallest (equation 4)")
def largest(s, a, b):
    return ((a[:, None] * s + b[:, None]) % P).max(axis=1, initial=0)


@mistake("minhash", "mod P is missing: a x + b keeps the order of x, and the smallest member always wins (equation 3)")
def without_mod(s, a, b):
    return (a[:, None] * s + b[:, None]).min(axis=1, initial=P)


@mistake("minhash", "mod P comes after the smallest is taken; each value is one mod P (equation 3, then 4)")
def mod_after_the_smallest(s, a, b):
    return (a[:, None] * s + b[:, None]).min(axis=1) % P if len(s) else np.full(len(a), P)


@mistake("minhash", "b is not added (equation 3)")
def without_b(s, a, b):
    return (a[:, None] * s % P).min(axis=1, initial=P)


@mistake("minhash", "the smallest value is taken over the hash functions, not over the members (equation 4)")
def over_the_functions(s, a, b):
    return ((a[:, None] * s + b[:, None]) % P).min(axis=0, initial=P)


@mistake("minhash", "the product is computed in 32 bits and overflows; it needs 62")
def in_32_bits(s, a, b):
    h = (a.astype(np.int32)[:, None] * s.astype(np.int32) + b.astype(np.int32)[:, None]).astype(np.int64) % P
    return h.min(axis=1, initial=P)


@mistake("minhash", "the member with the smallest value is returned, not that value (equation 4)")
def the_member(s, a, b):
    h = (a[:, None] * s + b[:, None]) % P
    return s[h.argmin(axis=1)] if len(s) else np.full(len(a), P)


@mistake("minhash", "the K smallest values of one hash function, not the smallest of each of K (equation 4)")
def smallest_of_one(s, a, b):
    h = np.sort((a[0] * s + b[0]) % P)[:len(a)]
    return np.append(h, np.full(len(a) - len(h), P))


@mistake("jaccard_estimate", "values count wherever they stand; only the same place of both counts (equation 5)")
def anywhere(sig, other):
    return np.isin(sig, other).mean(axis=-1)


@mistake("jaccard_estimate", "the sum is not divided by K (equation 5)")
def not_divided(sig, other):
    return (sig == other).sum(axis=-1).astype(float)


@mistake("jaccard_estimate", "the mean runs over all signatures at once, not over each one's places (equation 5)")
def over_everything(sig, other):
    return (sig == other).mean()


@mistake("jaccard_estimate", "the Jaccard index of the two signatures as sets (equation 5)")
def of_signatures(sig, other):
    both = np.broadcast_arrays(sig, other)
    rows = zip(*(x.reshape(-1, x.shape[-1]) for x in both), strict=True)
    return np.array([right.jaccard(s, t) for s, t in rows]).reshape(both[0].shape[:-1])


@mistake("error_bound", "the 2 below K is missing (equation 6)")
def two_missing(n_hashes, confidence=0.95):
    return np.sqrt(np.log(2 / (1 - confidence)) / n_hashes)


@mistake("error_bound", "too far above and too far below both count: 2 / (1 - confidence) (equation 6)")
def one_sided(n_hashes, confidence=0.95):
    return np.sqrt(np.log(1 / (1 - confidence)) / (2 * n_hashes))


@mistake("error_bound", "the root is missing (equation 6)")
def no_root(n_hashes, confidence=0.95):
    return np.log(2 / (1 - confidence)) / (2 * n_hashes)


@mistake("candidate_probability", "rows and bands have changed places (equation 7)")
def swapped(similarity, bands, rows):
    return 1 - (1 - similarity**bands) ** rows


@mistake("candidate_probability", "that is the probability of no band agreeing; one is wanted (equation 7)")
def none_agrees(similarity, bands, rows):
    return (1 - similarity**rows) ** bands


@mistake("candidate_probability", "the bands' probabilities are added; two may agree at once (equation 7)")
def added(similarity, bands, rows):
    return np.minimum(bands * similarity**rows, 1)


@mistake("candidate_probability", "all bands must agree; one is enough (equation 7)")
def all_bands(similarity, bands, rows):
    return similarity ** (rows * bands)


@mistake("candidate_pairs", "one row of a band is enough; all of them must agree (equation 8)")
def any_row(signatures, bands):
    return right.candidate_pairs(signatures, bands if signatures.shape[1] % bands else signatures.shape[1])


@mistake("candidate_pairs", "all bands share their buckets: a band must agree with the same band (equation 8)")
def bands_mixed(signatures, bands):
    if signatures.shape[1] % bands:
        raise ValueError("bands")
    buckets, pairs = {}, set()
    for band in np.split(signatures, bands, axis=1):
        for i, row in enumerate(band.tolist()):
            members = buckets.setdefault(tuple(row), set())
            pairs |= {(min(i, j), max(i, j)) for j in members if j != i}
            members.add(i)
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


@mistake("candidate_pairs", "only neighbours in a bucket are paired; all of its texts are (equation 8)")
def neighbours_only(signatures, bands):
    if signatures.shape[1] % bands:
        raise ValueError("bands")
    pairs = set()
    for band in np.split(signatures, bands, axis=1):
        last = {}
        for i, row in enumerate(band.tolist()):
            if tuple(row) in last:
                pairs.add((last[tuple(row)], i))
            last[tuple(row)] = i
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


@mistake("candidate_pairs", "a pair that agrees in several bands is there several times; once is enough")
def once_a_band(signatures, bands):
    if signatures.shape[1] % bands:
        raise ValueError("bands")
    found = [right.candidate_pairs(band, 1) for band in np.split(signatures, bands, axis=1)]
    return np.array(sorted(pair for pairs in found for pair in pairs.tolist()), dtype=np.int64).reshape(-1, 2)


@mistake("candidate_pairs", "every text is paired with itself as well: i < j")
def with_itself(signatures, bands):
    pairs = right.candidate_pairs(signatures, bands)
    own = np.repeat(np.arange(len(signatures)), 2).reshape(-1, 2)
    return np.array(sorted(map(tuple, [*pairs.tolist(), *own.tolist()])), dtype=np.int64).reshape(-1, 2)


@mistake("candidate_pairs", "what does not fit into the bands is left out without a word; refuse it")
def rest_left_out(signatures, bands):
    rows = signatures.shape[1] // bands
    return right.candidate_pairs(signatures[:, :rows * bands], bands)
