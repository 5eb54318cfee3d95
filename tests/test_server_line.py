"""Who is next, who must wait, who has gone: the place before the model, and that nothing else ever waits for it."""
import asyncio
import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from served import NAME, ask, held, openai_client, tiny
from served import asking as send

from minigpt.server.line import Full, Line, Stopped
from minigpt.server.running import in_background
from minigpt.transformer import Transformer

BODY = {"model": NAME, "prompt": "a", "max_tokens": 8, "temperature": 0}


@pytest.fixture
def busy():
    """(url, line, semaphore) of a server with a place and one to wait in, whose model waits for the semaphore."""
    served, line = tiny(), Line(at_once=1, waiting=1)
    with held(served) as go, in_background(served, line=line) as url:
        yield url, line, go


def asking(url, **fields):
    """The connection of a completion that was asked for, and whose answer was not read."""
    return send(url, BODY | fields)


def until(condition, seconds=10):
    """Wait until something becomes true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.01)


def test_who_finds_the_line_full_is_told_when_to_come_again(busy):
    url, line, go = busy
    with asking(url) as first, asking(url) as second:
        until(lambda: len(line) == 2)
        status, headers, answer = ask(url, "/v1/completions", BODY)
        assert (status, headers["Retry-After"], answer["error"]["code"]) == (429, "2", "rate_limit_exceeded")
        assert answer["error"]["message"].startswith("2 requests are being answered or wait; try again soon, or")
        go.release(100)
        assert {first.getresponse().status, second.getresponse().status} == {200}


@pytest.mark.slow
def test_the_official_client_tries_again_by_itself(busy):
    url, line, go = busy
    with asking(url), asking(url):
        until(lambda: len(line) == 2)
        threading.Timer(0.3, lambda: go.release(100)).start()
        assert openai_client(url, max_retries=3).completions.create(**BODY).usage.completion_tokens == 8


def test_the_rest_of_the_server_answers_while_the_model_computes(busy):
    url, _, go = busy
    with asking(url) as waiting:
        assert ask(url, "/v1/models")[0] == ask(url, "/")[0] == 200
        assert ask(url, "/v1/completions", BODY | {"n": "x"})[0] == 400
        go.release(100)
        assert waiting.getresponse().status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_who_has_gone_frees_the_place(busy, stream):
    url, line, go = busy
    with asking(url, stream=stream), asking(url, stream=stream):
        until(lambda: len(line) == 2)
    until(lambda: len(line) == 0)
    go.release(100)
    assert ask(url, "/v1/completions", BODY)[0] == 200


@pytest.mark.slow
def test_who_leaves_in_mid_stream_stops_the_writing():
    served, computed = tiny(window=True, max_tokens=10_000), []
    hidden = served.model.hidden
    served.model.hidden = lambda *args, **kwargs: computed.append(time.sleep(0.001)) or hidden(*args, **kwargs)
    with in_background(served) as url:
        stream = openai_client(url).completions.create(**BODY | {"max_tokens": 10_000}, stream=True)
        for _ in zip(range(3), stream, strict=False):
            pass
        stream.close()
        until(lambda: len(computed) == (time.sleep(0.1), len(computed))[1])
    assert 3 <= len(computed) < 1000


@pytest.mark.slow
def test_a_short_request_does_not_wait_for_the_end_of_a_long_one():
    served = tiny(window=True, max_tokens=10_000)
    with in_background(served, line=Line(at_once=2)) as url, asking(url, max_tokens=10_000, stream=True):
        assert ask(url, "/v1/completions", BODY)[0] == 200
        assert ask(url, "/v1/completions", BODY)[0] == 200


def test_a_long_prompt_is_read_in_parts_and_others_have_their_turn_between_them(monkeypatch):
    served, line, read, hidden = tiny(), Line(at_once=2), [], Transformer.hidden
    prompts = [[k] * 100 for k in (7, 8)]
    with in_background(served) as url:
        whole = [ask(url, "/v1/completions", BODY | {"prompt": prompt})[2]["choices"] for prompt in prompts]
    monkeypatch.setitem(type(served)._read.__globals__, "PART", 10)
    monkeypatch.setattr(Transformer, "hidden", lambda model, ids, **options: read.append((int(ids[0, 0]), ids.shape[1]))
                        or hidden(model, ids, **options))
    served = tiny()
    with held(served) as go, in_background(served, line=line) as url, ThreadPoolExecutor(2) as pool:
        both = [pool.submit(ask, url, "/v1/completions", BODY | {"prompt": prompt}) for prompt in prompts]
        until(lambda: len(line) == 2)
        go.release(1000)
        assert [done.result()[2]["choices"] for done in both] == whole
    assert sorted(n for _, n in read) == [1] * 16 + [9] * 2 + [10] * 18
    assert {k for k, _ in read[:3]} == {k for k, _ in read[17:20]} == {7, 8}


@pytest.mark.slow
def test_side_by_side_each_gets_what_it_would_get_alone():
    with in_background(tiny()) as url:
        bodies = [BODY | {"prompt": f"{k} moons", "temperature": 1.0, "seed": k, "max_tokens": 20} for k in range(8)]
        alone = [ask(url, "/v1/completions", body)[2]["choices"] for body in bodies]
        with ThreadPoolExecutor(8) as pool:
            together = pool.map(lambda body: ask(url, "/v1/completions", body)[2]["choices"], bodies)
            assert list(together) == alone


@pytest.mark.parametrize("stream", [False, True])
def test_a_server_that_stops_tells_those_who_wait(stream):
    served, line = tiny(), Line(at_once=1)
    with held(served) as go:
        with in_background(served, line=line) as url, contextlib.ExitStack() as stack:
            asked = [stack.enter_context(asking(url, stream=stream)) for _ in range(2)]
            until(lambda: len(line) == 2)
            kept = stack.pop_all()
            threading.Thread(target=lambda: until(lambda: len(line) == 0) or go.release(100)).start()
        with kept:
            answers = [connection.getresponse() for connection in asked]
            assert {answer.status for answer in answers} == {200 if stream else 503}
            assert all('"code":"stopping"' in answer.read().decode() for answer in answers)


def test_the_line_is_first_come_first_served_and_then_in_turn():
    async def order():
        line, seen, begin = Line(at_once=2, waiting=1), [], threading.Event()

        def steps(name):
            begin.wait(10)
            for k in range(2):
                seen.append(f"{name}{k}")
                yield k
        tickets = [line.join(steps(name)) for name in "abc"]
        with pytest.raises(Full):
            line.join(steps("d"))
        begin.set()
        for ticket in tickets:
            assert [step async for step in ticket] == [0, 1]
        line.close()
        with pytest.raises(Stopped):
            line.join(steps("e"))
        return seen
    assert asyncio.run(order()) == ["a0", "b0", "a1", "b1", "c0", "c1"]


def test_a_step_that_fails_is_told_to_who_asked_and_the_line_goes_on():
    async def outcomes():
        line = Line()
        broken, whole = line.join(map(int, ["1", "x"])), line.join(iter([5]))
        with pytest.raises(ValueError, match="invalid literal"):
            [step async for step in broken]
        found = [step async for step in whole]
        line.close()
        return found
    assert asyncio.run(outcomes()) == [5]


@pytest.mark.slow
def test_a_connection_that_sends_nothing_is_no_burden(busy):
    url, _, go = busy
    host, port = urlsplit(url).netloc.split(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(20)]
    idle[0].sendall(b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{")
    go.release(100)
    assert ask(url, "/v1/completions", BODY)[0] == 200
    for connection in idle:
        connection.close()
