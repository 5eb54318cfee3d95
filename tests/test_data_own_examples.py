"""The user's own CSV file: what is read, what is skipped and said, and one clear line for what cannot be used."""
import csv

import pytest
from test_data_own_text import write

from minigpt.data.tasks import load_csv
from minigpt.errors import InputError

NAMES = {"good": "positive", "bad": "negative"}
GOOD = [(f"text number {i}", ["positive", "negative"][i % 2]) for i in range(40)]


def table(rows, separator=",", end="\n"):
    return "".join(separator.join(row) + end for row in rows)


def everything(task):
    return sorted((text, task.labels[label]) for part in (task.train, task.validation, task.test)
                  for text, label in part)


@pytest.mark.parametrize("text", [
    table([("text", "label"), *GOOD]), table(GOOD), table([("Text ", " LABEL"), *GOOD], end="\r\n"),
    "\ufeff" + table([("text", "label"), *GOOD]), table([("text", "label"), *GOOD], separator=";"),
    table([("text", "label"), *GOOD], separator="\t"), table([("text", "label"), *GOOD])[:-1] + "\n\n\n",
    table([("label", "id", "text"), *((label, "7", text) for text, label in GOOD)]),
    table([("text", "label"), *((f'"{text}"', label) for text, label in GOOD)])])
def test_the_same_rows_however_they_are_written(tmp_path, text):
    task = load_csv(write(tmp_path / "my.csv", text))
    assert task.labels == ("negative", "positive")
    assert everything(task) == sorted(GOOD)
    assert [len(task.train), len(task.validation), len(task.test)] == [32, 4, 4]
    assert task.note == "40 texts, none dropped; only 4 texts to be judged on: scores say little"


def test_a_quoted_text_may_hold_separators_quotes_and_line_ends(tmp_path):
    text = table([*GOOD, ('"one, ""two""\nand three"', "positive")])
    assert ('one, "two"\nand three', "positive") in everything(load_csv(write(tmp_path / "my.csv", text)))


def test_a_separator_that_is_told_wins(tmp_path):
    path = write(tmp_path / "my.csv", table([(f"{text}, yes", label) for text, label in GOOD], separator=";"))
    assert load_csv(path).labels == ("yes;negative", "yes;positive")       # a comma makes two fields as well
    assert everything(load_csv(path, separator=";"))[0] == ("text number 0, yes", "positive")


@pytest.mark.parametrize("first", [("text", "label"), ("one, two, three", "positive")])
def test_the_separator_is_the_one_that_makes_sense_of_the_first_row(tmp_path, first):
    rows = [first, *((f"{text}, yes, really", label) for text, label in GOOD)]
    task = load_csv(write(tmp_path / "my.csv", "\n" + table(rows, separator=";")))
    assert ("text number 0, yes, really", "positive") in everything(task)


def test_a_first_row_of_other_names_is_passed_over_and_said(tmp_path):
    task = load_csv(write(tmp_path / "my.csv", table([("review", "stars"), *GOOD])))
    assert everything(task) == sorted(GOOD)
    assert task.note.startswith("took the first row (review, stars) for the names of the columns; 40 texts, none")


def test_a_text_may_be_longer_than_the_csv_module_allows_by_itself(tmp_path):
    before = csv.field_size_limit()
    task = load_csv(write(tmp_path / "my.csv", table([*GOOD, ("word " * 40_000 + "end", "positive")])))
    assert max(len(text) for text, _ in everything(task)) == 200_003
    assert csv.field_size_limit() == before


def test_other_column_names_can_be_told(tmp_path):
    path = write(tmp_path / "my.csv", table([("Review", "stars"), *GOOD]))
    assert everything(load_csv(path, text_column="review", label_column="stars")) == sorted(GOOD)
    with pytest.raises(InputError, match=r"no column 'reviw' in the first row, which is 'Review, stars'; did you mean"):
        load_csv(path, text_column="reviw", label_column="stars")


def test_bad_rows_are_skipped_and_named_by_their_numbers(tmp_path):
    rows = [("text", "label"), *GOOD, ("", "positive"), ("no label", ""), ("a", "b", "c"), ("alone",)]
    task = load_csv(write(tmp_path / "my.csv", table(rows)))
    assert everything(task) == sorted(GOOD)
    assert task.note.startswith("skipped 4 bad rows: row 42 (no text), row 43 (no label), row 44 (3 fields where the "
                                "first has 2), row 45 (1 fields where the first has 2); ")


def test_row_numbers_count_rows_where_a_text_has_several_lines(tmp_path):
    rows = [('"a\nb\nc"', "positive"), ("", "positive"), *GOOD]
    assert "row 2 (no text)" in load_csv(write(tmp_path / "my.csv", table(rows))).note


def test_many_bad_rows_are_counted(tmp_path):
    rows = [*GOOD, *[("x", "")] * 2000]
    assert "2,000 bad rows" in (note := load_csv(write(tmp_path / "my.csv", table(rows))).note)
    assert "row 45 (no label) and 1,995 more" in note


def test_bad_rows_can_be_refused(tmp_path):
    path = write(tmp_path / "my.csv", table([*GOOD, ("", "positive")]))
    with pytest.raises(InputError, match=r"1 bad row: row 41 \(no text\); correct the file"):
        load_csv(path, on_bad="refuse")
    with pytest.raises(InputError, match="on_bad='stop' is neither"):
        load_csv(path, on_bad="stop")


def test_uneven_classes_are_said(tmp_path):
    rows = [(f"text {i}", "common" if i % 20 else "rare") for i in range(100)]
    note = load_csv(write(tmp_path / "my.csv", table(rows))).note
    assert "'common' has 95 texts, 'rare' 5; always answering 'common' is right in 95% of cases" in note


@pytest.mark.parametrize(("text", "message"), [
    ("", "is empty; give a CSV"), ("\n\n", "is empty; give a CSV"),
    ("text,label\n", "no row has a text and a label; at least two classes"),
    (table([(text, "same") for text, _ in GOOD]), "all texts have the label 'same'; at least two classes are needed"),
    (table([*GOOD, ("only", "one"), ("x", "two"), ("y", "two")]),
     r"2 of 4 classes have fewer than 3 texts: 'one' \(1\), 'two' \(2\); add texts, join such classes"),
    (table([(f"text {i}", f"label {i}") for i in range(9)]), "9 of 9 classes have fewer than 3 texts: 'label 0'"),
    (table([("text", "label"), *[("same", "x"), ("other", "y")] * 5]), r"'y' \(1\); .* copies of another\)"),
    (table([("id", "review", "stars"), *(("7", *row) for row in GOOD)]), "name the columns text and label there"),
    (table([*GOOD, ('"never closed', "positive")]), r"row 41 cannot be read \(unexpected end of data\); a quote"),
    (table([("text", "class"), *GOOD]), "no column 'label' in the first row, which is 'text, class'"),
    ("word\n" * 50, "no column 'text' in the first row, which is 'word'"),
    ("text,label\n".encode("utf-16"), r"is not UTF-8 \(byte 0xff at offset 0\)")])
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        load_csv(write(tmp_path / "my.csv", text))
    assert "\n" not in str(caught.value)


def test_a_path_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file or folder"):
        load_csv(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder; give a CSV file"):
        load_csv(tmp_path)
    with pytest.raises(InputError, match="separator='x' is none of"):
        load_csv(write(tmp_path / "my.csv", table(GOOD)), separator="x")


def test_copies_are_dropped_and_said(tmp_path):
    task = load_csv(write(tmp_path / "my.csv", table([*GOOD, *GOOD[:3], ("Text number 3!", "positive")])))
    assert task.note.startswith("44 texts, dropped: 3 copies of another, 2 with copies in two classes; only 4 texts")


def test_enough_texts_to_be_judged_on_are_not_worth_a_word(tmp_path):
    rows = [(f"text number {i}", "ab"[i % 2]) for i in range(300)]
    assert load_csv(write(tmp_path / "my.csv", table(rows))).note == "300 texts, none dropped"


def test_a_group_column_keeps_its_rows_in_one_part(tmp_path):
    rows = [(text, label, f"author {i % 20}") for i, (text, label) in enumerate(GOOD)]
    task = load_csv(write(tmp_path / "my.csv", table([("text", "label", "author"), *rows])), group_column="author")
    author = {text: name for text, _, name in rows}
    inside = [{author[example.text] for example in part} for part in (task.train, task.validation, task.test)]
    assert [len(names) for names in inside] == [16, 2, 2]
    assert len(set.union(*inside)) == 20
    assert task.split_how == "about 80/10/10, by author, near copies together"
