"""Who is let in at the server's door, and with how much."""
import json

import pytest
from served import NAME, ask, refused, tiny

from minigpt.server.running import in_background


@pytest.fixture(scope="module")
def url():
    with in_background(tiny(), body_bytes=20_000) as url:
        yield url


@pytest.fixture(autouse=True)
def _goes_on(url):
    yield
    assert ask(url, "/v1/completions", {"model": NAME, "prompt": "a", "max_tokens": 1})[0] == 200


def test_a_body_that_a_foreign_page_could_send_without_asking(url):
    body = json.dumps({"model": NAME, "prompt": "a"}).encode()
    status, error = refused(url, body, headers={"Content-Type": "text/plain"})
    assert (status, error["message"][:31]) == (400, "the body must be a JSON object,")


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}])
def test_a_body_that_is_too_large(url, headers):
    body = b"x" * 2_000_000
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    status, error = refused(url, chunked if headers else body, headers=headers)
    assert (status, error["code"]) == (413, "request_too_large")
    assert error["message"].startswith("the body is larger than 20,000 bytes; send a shorter text")


def test_a_body_that_does_not_come():
    with in_background(tiny(), seconds=0.5) as url:
        status, error = refused(url, b"{", headers={"Content-Length": "100"})
    assert (status, error["message"]) == (408, "the body did not come within 0.5 seconds; send it again")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example",
                                  "", "[::1", "a@b"])
def test_a_name_that_is_not_ours_may_point_here_but_is_turned_away(url, host):
    status, error = refused(url, None, "/v1/models", headers={"Host": host})
    assert (status, error["code"]) == (403, "unknown_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:5", "127.0.0.1", "[::1]:8000", "192.168.1.7"])
def test_our_names_and_numbers_are_let_in(url, host):
    assert ask(url, "/v1/models", headers={"Host": host})[0] == 200


def test_a_page_of_another_origin_is_turned_away(url):
    body = {"model": NAME, "prompt": "a"}
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        assert refused(url, body, headers={"Origin": origin})[1]["code"] == "foreign_origin"
    assert ask(url, "/v1/completions", body, {"Origin": url})[0] == 200


def test_no_answer_allows_other_origins_to_read_it(url):
    assert not [name for name in ask(url, "/v1/models")[1] if name.lower().startswith("access-control")]
