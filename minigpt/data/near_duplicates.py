"""Finds texts that are almost the same, by MinHash, and leaves one of each family."""
from collections import namedtuple
from dataclasses import dataclass

import numpy as np

from minigpt.reference.minhash import (
    candidate_pairs,
    candidate_probability,
    hash_functions,
    jaccard,
    minhash,
    shingles,
)

ALIKE = 0.8              # of the shingles of both together
N_HASHES = 128
FOUND = 0.99             # of the pairs right at the threshold
AT_ONCE = 4096           # shingles of a long text that are hashed together: 4 MB for each of 128 hash functions

Pair = namedtuple("Pair", "first second similarity")


@dataclass(frozen=True)
class NearDuplicateReport:
    """What was compared and dropped; pairs: those at or above the threshold, the most alike first."""

    texts: int
    compared: int
    pairs: list[Pair]
    dropped: list[int]

    def __str__(self) -> str:
        """One line."""
        everything = self.texts * (self.texts - 1) // 2
        return (f"{self.texts:,} texts, {self.compared:,} of {everything:,} pairs compared, {len(self.pairs):,} nearly "
                f"the same, {len(self.dropped):,} texts dropped")


def drop_near_duplicates(texts: list[str], threshold: float = ALIKE, *, n: int = 3,
                         seed: int = 0) -> tuple[list[str], NearDuplicateReport]:
    """(kept texts, report): of texts that are nearly the same the first is kept, and of those like these, and so on.

    threshold, n: as in near_duplicates. A text without words is like no other.
    """
    pairs, compared = near_duplicates(texts, threshold, n=n, seed=seed)
    family = families(len(texts), pairs)
    dropped = [i for i, first in enumerate(family) if first != i]
    gone = set(dropped)
    kept = [text for i, text in enumerate(texts) if i not in gone]
    return kept, NearDuplicateReport(len(texts), compared, pairs, dropped)


def near_duplicates(texts: list[str], threshold: float = ALIKE, *, n: int = 3, seed: int = 0) -> tuple[list[Pair], int]:
    """(pairs whose Jaccard index is at least `threshold`, the most alike first; how many pairs were compared).

    Signatures of 128 hash functions choose the pairs that are compared; the index of these is exact. A pair right at
    the threshold is found with probability 0.99, a more similar one more surely. n: words in a shingle.
    """
    sets = [shingles(text, n) for text in texts]
    filled = [i for i, s in enumerate(sets) if len(s)]
    a, b = hash_functions(N_HASHES, np.random.default_rng(seed))
    signatures = np.array([_signature(sets[i], a, b) for i in filled]).reshape(-1, N_HASHES)
    candidates = candidate_pairs(signatures, bands_for(threshold))
    found = (Pair(filled[i], filled[j], jaccard(sets[filled[i]], sets[filled[j]])) for i, j in candidates)
    pairs = [pair for pair in found if pair.similarity >= threshold]
    return sorted(pairs, key=lambda pair: (-pair.similarity, pair)), len(candidates)


def bands_for(threshold: float, n_hashes: int = N_HASHES, found: float = FOUND) -> int:
    """The fewest bands, so the fewest pairs to compare, that find this share of the pairs right at the threshold.

    Raises ValueError for a threshold that is not above 0 and at most 1; all bands of one row if even these find fewer.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold} must lie above 0 and at most at 1; try {ALIKE}")
    divisors = [bands for bands in range(1, n_hashes + 1) if n_hashes % bands == 0]
    enough = (bands for bands in divisors if candidate_probability(threshold, bands, n_hashes // bands) >= found)
    return next(enough, n_hashes)


def families(n_texts: int, pairs: list[Pair]) -> list[int]:
    """For each text the number of the first text of its family: those joined by pairs, through others as well."""
    first = list(range(n_texts))

    def root(i):
        while first[i] != i:
            i = first[i]
        return i

    for one, other, _ in pairs:
        low, high = sorted((root(one), root(other)))
        first[high] = low
    return [root(i) for i in range(n_texts)]


def joined_groups(texts: list[str], groups: list[str]) -> list[str]:
    """The group of each text, where groups that hold nearly the same text are one and have the first one's name."""
    number = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    names = list(number)
    pairs, _ = near_duplicates(texts)
    links = [Pair(number[groups[pair.first]], number[groups[pair.second]], 1.0) for pair in pairs]
    first = families(len(names), links)
    return [names[first[number[name]]] for name in groups]


def _signature(s, a, b):
    """That of a union is the smallest of its parts': so a long text needs no more memory than a short one."""
    return np.min([minhash(s[at:at + AT_ONCE], a, b) for at in range(0, len(s), AT_ONCE)], axis=0)
