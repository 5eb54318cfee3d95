"""The table of texts is complete, and asking for an unknown one helps."""
import pytest

from minigpt.data.documents import READERS
from minigpt.data.sources import DEFAULT, FALLBACK, SOURCES, find_source
from minigpt.data.task_readers import READERS as TASK_READERS
from minigpt.data.task_sources import TASKS
from minigpt.errors import InputError

FETCHED = [source for source in [*SOURCES.values(), *TASKS.values()] if not source.embedded]


@pytest.mark.parametrize("source", FETCHED, ids=lambda source: source.name)
def test_a_fetched_source_is_pinned_by_version_size_and_hash(source):
    assert source.version in source.filename
    assert len(bytes.fromhex(source.sha256)) == 32
    assert 0 < source.archive_bytes < 100_000_000
    assert 0 < source.member_bytes < 300_000_000
    assert source.members


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.name)
def test_every_source_has_a_licence_and_a_reader(source):
    assert source.licence
    assert source.reader in READERS


@pytest.mark.parametrize("source", TASKS.values(), ids=lambda source: source.name)
def test_every_task_has_a_licence_and_a_reader(source):
    assert source.licence
    assert source.reader in TASK_READERS


def test_the_fallback_is_a_part_of_python_and_the_default_is_not():
    assert find_source(FALLBACK).embedded
    assert not find_source(DEFAULT).embedded


def test_an_unknown_corpus_suggests_the_closest_name():
    with pytest.raises(InputError, match=r"unknown corpus 'Shakespear'; did you mean 'shakespeare'\?"):
        find_source("Shakespear")


def test_an_unknown_corpus_unlike_any_lists_all_names():
    with pytest.raises(InputError, match=r"unknown corpus 'zzz'; known: shakespeare, basic-english"):
        find_source("zzz")
