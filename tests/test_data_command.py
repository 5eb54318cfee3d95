"""python -m minigpt data: what it prints."""
# ruff: noqa: F811  (an imported fixture comes again as the name of an argument)
import argparse

import pytest
from test_data_fetch import TINY, cache, index  # noqa: F401
from test_data_own_text import write
from test_data_splitting import PLAYS

from minigpt.commands import data
from minigpt.data.cleaning import CleaningReport
from minigpt.data.corpus import Corpus
from minigpt.data.sources import SOURCES
from minigpt.errors import InputError


def run(*words):
    parser = argparse.ArgumentParser()
    data.add_arguments(parser)
    return data.run(parser.parse_args(words))


def test_list_names_every_corpus_with_its_licence_and_whether_it_is_here(cache, capsys):
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines[1:1 + len(SOURCES)]}
    assert list(rows) == list(SOURCES)
    assert rows["shakespeare"].split()[1:5] == ["5.4", "MB", "no", "yes"]
    assert rows["python-docs"].split()[1:] == ["none", "yes", "yes", "PSF"]


def test_fetch_tells_where_the_archive_is(index, cache, capsys, monkeypatch):
    monkeypatch.setitem(SOURCES, "tiny", TINY)
    assert run("fetch", "tiny") == 0
    out = capsys.readouterr().out
    assert f"tiny: 2 files, 11 bytes, from {cache / TINY.filename}" in out


def test_fetching_what_python_has_fetches_nothing(capsys):
    assert run("fetch", "python-docs") == 0
    assert "nothing to fetch" in capsys.readouterr().out


def test_fetching_an_unknown_corpus_is_refused():
    with pytest.raises(InputError, match="did you mean 'python-docs'"):
        run("fetch", "python-doc")


def test_show_prints_the_counts_and_the_split_of_ones_own_text_but_not_the_text(tmp_path, capsys):
    write(tmp_path / "my.txt", "a secret line \n" * 1000)
    assert run("show", "--text", str(tmp_path / "my.txt")) == 0
    out = capsys.readouterr().out
    assert ["trailing", "spaces", "dropped", "1,000"] in [line.split() for line in out.splitlines()]
    assert "split by position" in out
    assert "secret" not in out


@pytest.mark.parametrize("redistributable", [True, False])
def test_first_lines_are_shown_only_where_they_may_be_passed_on(redistributable):
    report = CleaningReport(kept_documents=3, kept_characters=sum(map(len, PLAYS[:3])))
    corpus = Corpus("plays", PLAYS[:1], PLAYS[1:2], PLAYS[2:3], "by document", report, "none", redistributable, "00")
    assert ("| line 0 of it" in data.summary(corpus)) == redistributable


def test_show_passes_on_the_announcement():
    report = CleaningReport(kept_documents=3, kept_characters=1)
    corpus = Corpus("plays", ["a"], ["b"], ["c"], "by document", report, "none", False, "00", note="a stand-in")
    assert "a stand-in" in data.summary(corpus).splitlines()


def test_the_examples_in_the_help_can_be_parsed():
    parser = argparse.ArgumentParser()
    data.add_arguments(parser)
    for line in data.EXAMPLES.splitlines():
        assert line.startswith("python -m minigpt data ")
        parser.parse_args(line.split()[4:])
