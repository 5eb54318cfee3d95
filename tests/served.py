"""A small model behind a real server on this machine, and clients, that the tests of the server share."""
import contextlib
import http.client
import json
import re
import threading
from urllib.parse import urlsplit

import torch
from judges import needed

from minigpt.config import TrainConfig, TransformerConfig
from minigpt.runs import RunConfig, begin_run
from minigpt.server.served import Served
from minigpt.tokenizer import BPETokenizer
from minigpt.transformer import Transformer

NAME, T = "tiny", 160
PLAIN = re.compile(rb"[ -~]+")
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def tiny(special_tokens=SPECIAL, *, ends_itself=False, ascii_only=False, context_length=T, causal=True, **options):
    """A model with weights of chance, as it is served.

    ends_itself: whether it may end a text. ascii_only: whether it writes nothing but letters of ours.
    """
    tokenizer = BPETokenizer.train(["the moon is far and the sun is far"] * 3, 280, special_tokens)
    config = TransformerConfig(vocab_size=tokenizer.vocab_size, context_length=context_length, n_layer=1, n_head=2,
                               d_model=16, causal=causal)
    model = Transformer(config, generator=torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        model.final_norm.weight *= 20                  # some tokens are clearly likelier than others
    never = [] if ends_itself else [*tokenizer.special_ids.values()]
    never += [i for i, token in enumerate(tokenizer.tokens) if ascii_only and not PLAIN.fullmatch(token)]
    score = model.score
    model.score = lambda h: score(h).index_fill(-1, torch.tensor(never, dtype=torch.int64), -1e4)
    return Served(NAME, model, tokenizer, **{"max_tokens": 48} | options)


def logprobs_by_hand(served, ids):
    """What the model believes of every next token of ids: (T,V) nats."""
    with torch.no_grad():
        return served.model(torch.tensor([ids]))[0].double().log_softmax(dim=-1)           # (T,V)


def refused(url, body, path="/v1/completions", **options):
    """(status, error) of a request that must be refused in the right form."""
    status, _, answer = ask(url, path, body, **options)
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    return status, answer["error"]


def save(served, folder):
    """A run folder with that model, as training writes it."""
    run = begin_run(folder, RunConfig(served.model.config, TrainConfig(steps=1), {"name": "none"}), served.tokenizer)
    run.save(0, served.model.state_dict(), {})
    return str(folder)


@contextlib.contextmanager
def held(served):
    """Inside the block, the model computes nothing until the semaphore that the block gets is released."""
    go, hidden = threading.Semaphore(0), served.model.hidden

    def hidden_when_released(*args, **kwargs):
        go.acquire()
        return hidden(*args, **kwargs)

    served.model.hidden = hidden_when_released
    try:
        yield go
    finally:
        del served.model.hidden
        go.release(10**6)


def openai_client(url, **options):
    """The official client of OpenAI's API, speaking to a server of ours."""
    return needed("openai").OpenAI(base_url=f"{url}/v1", api_key="none", **{"max_retries": 0, "timeout": 30} | options)


def ask(url, path, body=None, headers=None, method=None):
    """(status, headers, body) of a request of plain bytes, or of JSON."""
    raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request(method or ("GET" if body is None else "POST"), path, raw,
                           {"Content-Type": "application/json"} | (headers or {}))
        response = connection.getresponse()
        content = response.read()
        is_json = response.headers["Content-Type"] == "application/json"
        return response.status, response.headers, json.loads(content) if is_json else content.decode()


@contextlib.contextmanager
def asking(url, body, path="/v1/completions"):
    """The connection of a request that was sent, and whose answer was not read."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        yield connection
