"""Divides labelled examples into training, validation and test: class by class, and group by group."""
import hashlib

import numpy as np

SHARES = (0.8, 0.1, 0.1)   # of each class: training, validation, test
FULL = 1.4                 # times its share of a class: what a held-out part may take where groups are uneven


def stratified_split(labels: list, keys: list[str], seed: int, shares=SHARES) -> list[list[int]]:
    """[train, validation, test], each the numbers of its examples in order; every class in the same shares.

    n_pc = round(share_p n_c) of class c go to a held-out part p, 1 at least where n_c > 2; the rest are for training.

    labels: the class of each example; keys: what tells examples apart, their texts: within a class they are drawn in
    the order of sha256(seed, key), which is the same on every machine.
    """
    parts: list[list[int]] = [[] for _ in shares]
    for label in dict.fromkeys(labels):
        order = in_drawing_order([i for i, other in enumerate(labels) if other == label], keys, seed)
        for part, share in list(zip(parts, shares, strict=True))[:0:-1]:
            n = max(round(share * labels.count(label)), 1) if labels.count(label) > 2 else 0
            part += order[:n]
            order = order[n:]
        parts[0] += order
    return [sorted(part) for part in parts]


def grouped_split(labels: list, groups: list[str], seed: int, shares=SHARES) -> list[list[int]]:
    """[train, validation, test], each the numbers of its examples in order; no group is in two of them.

    Group g, with n_gc examples of class c, goes to the part p that still misses most of what g has:
        (1) wish_p = sum_c n_gc / n_c (1 - have_pc / (share_p n_c))
    among the parts held out only to those where have_pc + n_gc <= 1.4 share_p n_c for each class c that g has.
    The first of equal parts gets it, so that a class of one group is for training.

    groups: the name of each example's group: those who would give each other away. Groups come in the order of
    sha256(seed, name). The shares come out near where groups are small; they cannot where one group is most of a class.
    """
    classes, label_of = np.unique(labels, return_inverse=True)
    names, group_of = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), len(classes)))
    np.add.at(counts, (group_of, label_of), 1)                                    # (G, classes)
    target = np.outer(shares, counts.sum(axis=0))                                 # (parts, classes)
    have, part_of = np.zeros_like(target), np.zeros(len(names), dtype=int)
    for g in in_drawing_order(list(range(len(names))), names.tolist(), seed):
        n, has = counts[g], counts[g] > 0
        wish = (n / counts.sum(axis=0) * (1 - have / target)).sum(axis=1)         # (parts,)  (1)
        full = ((have + n)[:, has] > FULL * target[:, has]).any(axis=1)
        full[0] = False
        part_of[g] = np.where(full, -np.inf, wish).argmax()
        have[part_of[g]] += n
    return [np.flatnonzero(part_of[group_of] == part).tolist() for part in range(len(shares))]


def in_drawing_order(numbers: list[int], keys: list[str], seed: int) -> list[int]:
    """The numbers by sha256(seed, key): an order that looks like chance and is the same on every machine."""
    return sorted(numbers, key=lambda i: (hashlib.sha256(f"{seed}\0{keys[i]}".encode()).digest(), i))
