"""Cleaning of labelled texts: none twice, none with two answers, and everything that was dropped is said."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.data.labelled import Example, Row, class_sizes, clean_rows, make_task, same_words


@pytest.mark.parametrize(("one", "other"), [
    ("Great  phone!", "great phone"), ("RT @me: so true http://t.co/x", "So true"), ("a\r\nb", "a b"),
    ("真的很失望。", "真的很失望")])
def test_case_signs_links_and_user_names_make_no_other_text(one, other):
    assert same_words(one) == same_words(other)


@pytest.mark.parametrize(("one", "other"), [("not good", "good"), (":)", ":("), ("art", "t")])
def test_other_words_make_another_text_and_signs_do_where_there_are_no_words(one, other):
    assert same_words(one) != same_words(other)


def test_the_first_of_copies_is_kept_and_copies_in_two_classes_are_dropped_all():
    rows = [Row("Good one", "a"), Row("two", "b"), Row("good one!", "a"), Row(" ", "a"), Row("Two.", "a")]
    kept, said = clean_rows(rows)
    assert kept == [Row("Good one", "a")]
    assert said == "5 texts, dropped: 1 empty, 1 copies of another, 2 with copies in two classes"


def test_nothing_dropped_is_said_too():
    assert clean_rows([Row("one", "a"), Row("two", "a")])[1] == "2 texts, none dropped"


@given(st.lists(st.tuples(st.sampled_from(["one", "One!", "two", "", "three"]), st.sampled_from("ab")), max_size=12))
def test_no_two_kept_texts_say_the_same_and_cleaning_again_drops_nothing(pairs):
    kept, _ = clean_rows([Row(*pair) for pair in pairs])
    assert len({same_words(row.text) for row in kept}) == len(kept)
    assert clean_rows(kept) == (kept, f"{len(kept):,} texts, none dropped")


def test_labels_are_places_in_the_sorted_names():
    task = make_task("t", [[Row("x", "b"), Row("y", "a")], [Row("z", "a")], [Row("w", "c")]], "", "", "", True)
    assert task.labels == ("a", "b", "c")
    assert task.train == [Example("x", 1), Example("y", 0)]
    assert class_sizes(task) == {"a": 1, "b": 1, "c": 0}
