"""The split: about 90/5/5 by characters, no text in two parts, the same on every machine."""
import os
import subprocess
import sys

import pytest

from minigpt.data.splitting import split, split_by_document, split_by_position
from minigpt.errors import InputError

PLAYS = [f"play {i}\n" + f"line {i} of it\n" * (300 + 37 * i) for i in range(40)]


def sizes(parts):
    return [sum(map(len, part)) for part in parts]


@pytest.mark.parametrize("seed", range(10))
def test_whole_documents_are_split_about_90_5_5_by_characters(seed):
    (train, validation, test), how = split(PLAYS, seed)
    assert how == "by document"
    total = sum(map(len, PLAYS))
    assert 0.03 * total <= min(sizes([validation, test])) <= max(sizes([validation, test])) <= 0.07 * total
    assert sorted(train + validation + test) == sorted(PLAYS)


def test_the_seed_decides_what_is_held_out():
    assert split_by_document(PLAYS, 1) == split_by_document(PLAYS, 1)
    assert split_by_document(PLAYS, 1)[2] != split_by_document(PLAYS, 2)[2]


def test_the_order_of_the_documents_does_not_change_what_is_held_out():
    there, back = split_by_document(PLAYS, 0), split_by_document(PLAYS[::-1], 0)
    assert [sorted(part) for part in there] == [sorted(part) for part in back]


def test_the_split_is_the_same_in_another_process():
    code = ("from test_data_splitting import PLAYS, sizes, split_by_document\n"
            "print(sizes(split_by_document(PLAYS, 3)))")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "12"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(sizes(split_by_document(PLAYS, 3)))


def test_one_text_is_cut_at_line_ends_near_90_and_95_percent():
    text = "".join(f"this is line number {i}\n" for i in range(1000)).strip()
    (train, validation, test), how = split([text], seed=0)
    assert how == "by position"
    assert "\n".join([*train, *validation, *test]) == text      # nothing lost but the two line ends cut at
    assert sizes([train])[0] == pytest.approx(0.9 * len(text), abs=30)
    assert sizes([test])[0] == pytest.approx(0.05 * len(text), abs=30)


def test_a_text_without_line_ends_is_cut_between_words():
    text = "word " * 999 + "word"
    parts = split([text], seed=0)[0]
    assert all(set(piece.split()) == {"word"} for part in parts for piece in part)


def test_a_text_without_any_space_is_cut_all_the_same():
    assert sizes(split(["x" * 1000], seed=0)[0]) == [900, 50, 50]


def test_documents_too_few_or_too_large_are_each_split_by_position():
    texts = [f"{letter}\n" * 1000 for letter in "abc"]
    parts, how = split(texts, seed=0)
    assert how == "by position"
    assert [len(part) for part in parts] == [3, 3, 3]


def test_short_documents_beside_a_long_one_go_to_training():
    parts = split_by_position(["tiny", "long\n" * 1000])
    assert "tiny" in parts[0]
    assert "tiny" not in parts[1] + parts[2]


def test_a_text_too_short_to_split_is_refused_with_its_length():
    with pytest.raises(InputError, match=r"399 characters after cleaning, too few to split; at least 400"):
        split(["x" * 399], seed=0)


def test_two_texts_too_short_to_split_are_refused():
    with pytest.raises(InputError, match="give more text"):
        split(["x" * 300, "y" * 300], seed=0)
