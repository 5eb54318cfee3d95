"""MinHash: how alike are two texts? A few numbers of each tell it, without comparing every text with every other."""
import zlib

import numpy as np
import regex

P = 2**31 - 1            # a prime: h(x) = (a x + b) mod P gives different values to different x
_WORD = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}]|[\p{L}\p{M}\p{N}]+")


def words(text):
    """The words of a text: letters and digits, without case; of Chinese and Japanese each character is one."""
    return _WORD.findall(text.casefold())


def shingles(text, n=3):
    """The different runs of n words of a text, as numbers.

        (1) S = { crc32(word_i ... word_{i+n-1}) mod P  for each place i }

    A text of fewer words is one run. Returns S: (N,) int64, sorted, each once; empty for a text without words.
    Source: Broder 1997, On the resemblance and containment of documents (its shingles).
    """
    w = words(text)
    runs = [" ".join(w[i:i + n]) for i in range(max(len(w) - n + 1, min(len(w), 1)))]
    return np.unique(np.array([zlib.crc32(run.encode()) % P for run in runs], dtype=np.int64))            # (N,)  (1)


def jaccard(s, t):
    """How much two sets have in common: 1 for the same set, 0 for nothing in common.

        (2) J(S, T) = |S and T| / |S or T|,   1 for two empty sets

    s: (N,), t: (M,) numbers, each once. Returns J: a number.
    Source: Broder 1997 (its resemblance).
    """
    both = np.intersect1d(s, t)
    either = np.union1d(s, t)
    return len(both) / len(either) if len(either) else 1.0                        # (2)


def hash_functions(n_hashes, rng):
    """K functions drawn from a universal family, each of which puts all numbers below P into another order.

        (3) h_k(x) = (a_k x + b_k) mod P,   a_k from 1 to P - 1, b_k from 0 to P - 1

    Sets of numbers in even steps fare badly with so simple a family; what crc32 gives is as good as without order.
    rng: np.random.Generator. Returns a, b: (K,) int64.
    Source: Carter & Wegman 1979, Universal classes of hash functions.
    """
    a = rng.integers(1, P, n_hashes)                                              # (K,)
    b = rng.integers(0, P, n_hashes)                                              # (K,)
    return a, b


def minhash(s, a, b):
    """The signature of a set: for each hash function the smallest value that a member gets.

        (4) sig_k = min over x in S of h_k(x),   P for an empty set

    s: (N,) numbers below P; a, b: (K,). Returns sig: (K,) int64. That of a union is the smaller one of each pair.
    Source: Broder 1997; Broder, Charikar, Frieze & Mitzenmacher 1998, Min-wise independent permutations.
    """
    h = (a[:, None] * s + b[:, None]) % P                                         # (K,N)  below 2^62: fits int64
    return h.min(axis=1, initial=P)                                               # (K,)  (4)


def jaccard_estimate(sig, other):
    """In how many places two signatures agree: each does so with probability J, for the smallest of both sets together
    is as likely any member as any other, and the places agree if it is in both.

        (5) J' = 1/K sum_k 1[sig_k = other_k],   E J' = J,   Var J' = J (1 - J) / K

    sig, other: (..., K). Returns J': (...).
    """
    return (sig == other).mean(axis=-1)                                           # (...)  (5)


def error_bound(n_hashes, confidence=0.95):
    """How far J' is from J at most, in this share of cases, whatever J is.

        (6) P(|J' - J| >= e) <= 2 exp(-2 K e^2),   so e = sqrt(log(2 / (1 - confidence)) / (2 K))

    n_hashes: K, drawn independently of one another; confidence: that share. Returns e: a number.
    Source: Hoeffding 1963, Probability inequalities for sums of bounded random variables.
    """
    return np.sqrt(np.log(2 / (1 - confidence)) / (2 * n_hashes))                 # (6)


def candidate_probability(similarity, bands, rows):
    """With which probability two texts become a candidate: that all rows of at least one band agree.

        (7) P = 1 - (1 - J^r)^b

    similarity: (...) J; rows: r, hash functions in a band; bands: b. Returns P: (...), an S over J.
    Source: Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, section 3.4.2.
    """
    return 1 - (1 - similarity**rows) ** bands                                    # (...)  (7)


def candidate_pairs(signatures, bands):
    """The pairs of texts that are worth comparing: those whose signatures agree in all of a band.

        (8) {i, j} is one if sig_i = sig_j on the places (c r, ..., c r + r - 1) of some band c,   r = K / b

    Texts of one band go into buckets by what stands there, so that no text is compared with every other.
    signatures: (N, K) int64. Returns pairs: (M, 2), i < j, in order, each once.
    Raises ValueError if b does not divide K.
    """
    _, K = signatures.shape
    if K % bands:
        fits = next(b for b in range(min(bands, K), 0, -1) if K % b == 0)
        raise ValueError(f"{K} hash functions do not make {bands} bands of the same size; try {fits}")
    pairs = set()
    for band in np.split(signatures, bands, axis=1):                              # (N,r)
        buckets = {}
        for i, row in enumerate(band.tolist()):
            members = buckets.setdefault(tuple(row), [])
            pairs |= {(j, i) for j in members}                                    # (8)
            members.append(i)
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)                 # (M,2)
