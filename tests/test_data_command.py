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
from minigpt.data.labelled import Row, make_task
from minigpt.data.sources import SOURCES
from minigpt.data.task_sources import TASKS
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
    names = {line.split()[0] for line in lines if line.endswith((*{source.licence for source in TASKS.values()},))}
    assert names >= set(TASKS)
    assert any(line.startswith("minilm ") and "Apache-2.0" in line for line in lines)
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
    with pytest.raises(InputError, match="nothing is called 'python-doc'; did you mean python-docs"):
        run("fetch", "python-doc")


def test_show_of_weights_or_of_two_things_is_refused():
    with pytest.raises(InputError, match="minilm is weights, with no text to show"):
        run("show", "minilm")
    with pytest.raises(InputError, match=r"`data show apple` takes no file of your own \('x.csv'\)"):
        run("show", "apple", "--csv", "x.csv")
    with pytest.raises(InputError, match=r"`data show --text x.txt` shows it"):
        run("fetch", "--text", "x.txt")
    with pytest.raises(InputError, match="`data show apple` shows one"):
        run("list", "apple")


def test_show_of_ones_own_labelled_texts_counts_them_by_class_but_does_not_print_them(tmp_path, capsys):
    rows = "".join(f"secret {i},{['good', 'bad'][i % 2]}\n" for i in range(40))
    write(tmp_path / "my.csv", f"text,label\n{rows},bad\n")
    assert run("show", "--csv", str(tmp_path / "my.csv")) == 0
    out = capsys.readouterr().out
    assert ["bad", "16", "2", "2"] in [line.split() for line in out.splitlines()]
    assert "skipped 1 bad row: row 42 (no text)" in out
    assert "secret" not in out


def test_one_example_of_each_class_is_shown_where_that_is_allowed():
    rows = [Row("a long text " * 20, "b"), Row("short", "a"), Row("next", "b")]
    said = data.task_summary(make_task("t", [rows, [], []], "", "", "", True)).splitlines()
    assert said[-2:] == ["| a: short", f"| b: {('a long text ' * 20)[:data.WIDTH]}..."]


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


def test_documents_that_are_nearly_the_same_are_counted_and_those_in_two_parts():
    one, other = " ".join(f"word{i}" for i in range(60)), " ".join(f"other{i}" for i in range(60))
    corpus = Corpus("t", [one, one + " end", other], [one + " more"], ["x y z"], "", CleaningReport(), "", False, "00")
    assert data.near_copies(corpus) == "pairs that are nearly the same: 3, of which 2 are in two parts"


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
