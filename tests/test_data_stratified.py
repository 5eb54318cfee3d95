"""Splits of labelled examples: class shares are kept, no group is in two parts, the same on every machine."""
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from minigpt.data.stratified import FULL, SHARES, grouped_split, in_drawing_order, stratified_split

LABELS = st.lists(st.sampled_from("abc"), min_size=1, max_size=60)
GROUPED = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("uvwxyz")), min_size=1, max_size=60)


def keys(labels):
    return [f"text {i}" for i in range(len(labels))]


@given(LABELS, st.integers(0, 9))
def test_a_stratified_split_holds_each_example_once_and_each_class_in_its_shares(labels, seed):
    parts = stratified_split(labels, keys(labels), seed)
    assert sorted(i for part in parts for i in part) == list(range(len(labels)))
    for label, n in Counter(labels).items():
        held_out = [sum(labels[i] == label for i in part) for part in parts[1:]]
        assert held_out == [max(1, round(share * n)) if n > 2 else 0 for share in SHARES[1:]]


def test_a_hundred_examples_of_a_class_are_split_80_10_10():
    labels = ["a"] * 100 + ["b"] * 10
    parts = stratified_split(labels, keys(labels), seed=0)
    assert [Counter(labels[i] for i in part) for part in parts] == [{"a": 80, "b": 8}, {"a": 10, "b": 1},
                                                                    {"a": 10, "b": 1}]


def test_the_seed_decides_and_nothing_else():
    labels = ["a", "b"] * 50
    assert stratified_split(labels, keys(labels), 1) == stratified_split(labels, keys(labels), 1)
    assert stratified_split(labels, keys(labels), 1) != stratified_split(labels, keys(labels), 2)
    assert in_drawing_order([0, 1, 2, 3], ["a", "b", "c", "d"], seed=0) == [3, 2, 0, 1]      # of sha256


@given(GROUPED, st.integers(0, 9))
def test_no_group_is_in_two_parts_and_each_example_in_one(examples, seed):
    labels, groups = zip(*examples, strict=True)
    parts = grouped_split(list(labels), list(groups), seed)
    assert sorted(i for part in parts for i in part) == list(range(len(labels)))
    inside = [{groups[i] for i in part} for part in parts]
    assert sum(map(len, inside)) == len(set(groups))


@given(GROUPED, st.integers(0, 9))
def test_what_is_held_out_never_holds_much_more_of_a_class_than_its_share(examples, seed):
    labels, groups = zip(*examples, strict=True)
    _, *held_out = grouped_split(list(labels), list(groups), seed)
    for part, share in zip(held_out, SHARES[1:], strict=True):
        for label, n in Counter(labels[i] for i in part).items():
            assert n <= FULL * share * labels.count(label)


@given(st.integers(0, 99))
def test_with_many_small_groups_every_class_comes_out_near_its_shares(seed):
    labels = [label for label, n in (("a", 300), ("b", 120), ("c", 60)) for _ in range(n)]
    groups = [f"{label}{i // 4}" for i, label in enumerate(labels)]
    for part, share in zip(grouped_split(labels, groups, seed), SHARES, strict=True):
        counts = Counter(labels[i] for i in part)
        for label in "abc":
            assert abs(counts[label] - share * labels.count(label)) <= 8        # two groups


def test_a_class_of_one_group_is_for_training():
    labels, groups = ["a"] * 50 + ["b"] * 200, ["whole"] * 50 + [str(i) for i in range(200)]
    train, validation, test = grouped_split(labels, groups, seed=0)
    assert set(range(50)) <= set(train)
    assert len(validation) == len(test) == 20
