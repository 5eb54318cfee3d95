"""Cleaning makes texts uniform and counts everything it touches."""
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from minigpt.data.cleaning import clean


def test_every_kind_of_newline_becomes_one():
    texts, report = clean(["a\r\nb\rc\x85d\u2028e\u2029f\ng"])
    assert texts == ["a\nb\nc\nd\ne\nf\ng"]
    assert report.newlines_unified == 5


def test_control_characters_go_but_tabs_and_newlines_stay():
    texts, report = clean(["a\x00b\tc\x0c\nd\x7f\x9b\ufeffe"])
    assert texts == ["ab\tc\nde"]
    assert report.control_characters_dropped == 5


def test_accents_are_composed():
    texts, report = clean(["cafe\u0301", "plain"])
    assert texts == ["caf\u00e9", "plain"]
    assert report.documents_recomposed == 1


def test_spaces_at_line_ends_go_and_indents_stay():
    texts, report = clean(["  if x: \t\n    y  "])
    assert texts == ["  if x:\n    y"]
    assert report.trailing_spaces_dropped == 4


def test_at_most_two_blank_lines_stay_and_none_at_the_ends():
    texts, report = clean(["\n\na\n\nb\n\n\nc\n \n\n\n\nd\n"])
    assert texts == ["a\n\nb\n\n\nc\n\n\nd"]
    assert report.blank_lines_dropped == 5


def test_an_exact_duplicate_is_dropped_even_if_only_cleaning_makes_it_one():
    texts, report = clean(["one\n", "two", "one", "one  "])
    assert texts == ["one", "two"]
    assert report.duplicate_documents_dropped == 2


def test_a_document_of_nothing_is_dropped():
    texts, report = clean(["\r\n \t\n", "", "x"])
    assert texts == ["x"]
    assert report.empty_documents_dropped == 2


def test_the_report_counts_what_came_and_what_was_kept():
    report = clean(["ab ", "ab", "cde"], files_skipped=2)[1]
    assert (report.documents, report.characters) == (3, 8)
    assert (report.kept_documents, report.kept_characters) == (2, 5)
    assert report.files_skipped == 2


def test_the_report_prints_one_line_for_each_count():
    lines = str(clean(["a" * 1234567])[1]).splitlines()
    assert len(lines) == 12
    assert lines[1].split() == ["characters", "1,234,567"]


MESSY = st.text(st.sampled_from("ab \t\n\r\x00\x85\u2028\u0301e\u00e9\ufeff"), max_size=40)


@given(st.lists(MESSY, max_size=8))
def test_cleaning_twice_changes_nothing_more(texts):
    once = clean(texts)[0]
    assert clean(once)[0] == once


@given(st.lists(MESSY, max_size=8))
def test_characters_are_accounted_for_where_nothing_is_composed_or_dropped_whole(texts):
    cleaned, report = clean(texts)
    if report.duplicate_documents_dropped or report.documents_recomposed:
        return
    paired = sum(text.count("\r\n") for text in texts)   # two characters become one
    assert report.kept_characters == sum(map(len, cleaned)) == (
        report.characters - paired - report.control_characters_dropped - report.trailing_spaces_dropped
        - report.blank_lines_dropped)


@given(MESSY)
def test_clean_text_is_in_unicode_nfc(text):
    for cleaned in clean([text])[0]:
        assert unicodedata.is_normalized("NFC", cleaned)
