"""Twenty clients at once, some of them rude: what is accepted is answered, and the server stays healthy."""
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from served import NAME, ask, asking, openai_client, tiny

from minigpt.server.line import Line
from minigpt.server.running import in_background

CLIENTS, REQUESTS = 20, 12
RUDE = [b"", b"{", b"[" * 5000, b"\xff" * 100, b'{"model": "tiny"', b'{"model": "tiny", "prompt": "a", "n_best": 2}',
        b"x" * 400_000, b'{"model": "tiny", "prompt": "' + b"a" * 30_000 + b'"}', b'{"model": "other", "prompt": "a"}']


def polite(client, rng):
    """A request as it should be; the answer must be whole."""
    n, tokens = rng.randint(1, 3), rng.randint(1, 24)
    options = {"model": NAME, "max_tokens": tokens, "n": n, "temperature": 1.0}
    if rng.random() < 0.5:
        answer = client.completions.create(prompt="the moon", **options)
        whole = [choice.finish_reason == "length" for choice in answer.choices]
        count = answer.usage.completion_tokens
    else:
        chunks = list(client.chat.completions.create(messages=[{"role": "user", "content": "hello"}], stream=True,
                                                     stream_options={"include_usage": True}, **options))
        whole = [choice.finish_reason == "length" for c in chunks for choice in c.choices if choice.finish_reason]
        count = chunks[-1].usage.completion_tokens
    assert (len(whole), all(whole), count) == (n, True, n * tokens)
    return "answered"


def rude(url, rng):
    """A request that is malformed or too large; it must be refused."""
    status, _, answer = ask(url, "/v1/completions", rng.choice(RUDE), method="POST")
    assert status in (400, 404, 413, 429), answer
    assert answer["error"]["message"]
    return "refused" if status != 429 else "line was full"


def vanishing(url, rng):
    """A request whose sender goes away: at once, or in mid-stream."""
    body = {"model": NAME, "prompt": "a", "max_tokens": 48, "n": 8, "stream": rng.random() < 0.7}
    with asking(url, body) as connection:
        if rng.random() < 0.6:
            response = connection.getresponse()
            if response.status == 200:
                response.read(rng.randint(1, 2000))
    return "vanished"


def client_of(url, number, outcomes):
    """One client, with its mixture of requests."""
    import openai
    rng, client = random.Random(number), openai_client(url, max_retries=40)
    for _ in range(REQUESTS):
        kind = rng.choice(["polite", "polite", "rude", "vanishing"])
        try:
            outcomes.append(polite(client, rng) if kind == "polite" else
                            rude(url, rng) if kind == "rude" else vanishing(url, rng))
        except openai.RateLimitError:
            outcomes.append("line was full")


def model_threads():
    return {thread.ident for thread in threading.enumerate() if thread.name == "model"}


@pytest.mark.slow
def test_twenty_clients_at_once_some_of_them_rude_leave_the_server_healthy():
    before = model_threads()
    served, line, outcomes, started = tiny(), Line(at_once=4, waiting=8), [], time.perf_counter()
    openai_client("http://127.0.0.1")                  # skips where the client is not installed
    with in_background(served, line=line, body_bytes=100_000) as url:
        with ThreadPoolExecutor(CLIENTS) as pool:
            for done in [pool.submit(client_of, url, number, outcomes) for number in range(CLIENTS)]:
                done.result(timeout=120)               # and no assertion of any client failed
        while len(line):                               # who vanished last is noticed within a step
            assert time.perf_counter() - started < 120
            time.sleep(0.01)
        body = {"model": NAME, "prompt": "the moon", "max_tokens": 12, "temperature": 0}
        assert ask(url, "/v1/completions", body)[2]["usage"]["completion_tokens"] == 12
    counts = Counter(outcomes)
    print(f"\n{CLIENTS} clients, {len(outcomes)} requests in {time.perf_counter() - started:.1f} s: {dict(counts)}")
    assert len(outcomes) == CLIENTS * REQUESTS
    assert min(counts["answered"], counts["refused"], counts["vanished"]) > 20
    assert not model_threads() - before
