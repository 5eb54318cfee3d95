"""The server, asked by OpenAI's own client: what it understands, and what it answers."""
import codecs

import pytest
from served import NAME, ask, logprobs_by_hand, openai_client, tiny

from minigpt.server.running import in_background
from minigpt.writing import write

PROMPT = "the moon is"


@pytest.fixture(scope="module")
def served():
    return tiny()


@pytest.fixture(scope="module")
def url(served):
    with in_background(served) as url:
        yield url


@pytest.fixture(scope="module")
def client(url):
    return openai_client(url)


def complete(client, **options):
    return client.completions.create(**{"model": NAME, "prompt": PROMPT, "max_tokens": 12, "temperature": 0} | options)


def text_of(answer, index=0):
    return answer.choices[index].text


def greedy(served, prompt=PROMPT, **options):
    return "".join(write(served.model, served.tokenizer, prompt, max_new_tokens=12, temperature=0, **options))


def test_the_one_model_is_listed_and_described(client):
    assert [model.id for model in client.models.list()] == [NAME]
    assert client.models.retrieve(NAME).owned_by == "minigpt"


def test_it_writes_what_the_model_writes(client, served):
    answer = complete(client)
    assert text_of(answer) == greedy(served)
    assert (answer.choices[0].finish_reason, answer.object) == ("length", "text_completion")
    n = len(served.tokenizer.encode(PROMPT))
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (n, 12, n + 12)


def test_sixteen_tokens_are_written_if_none_says_how_many(client):
    assert client.completions.create(model=NAME, prompt=PROMPT).usage.completion_tokens == 16


def test_a_prompt_may_be_ids_or_several_and_an_empty_one_begins_a_text(client, served):
    ids = served.tokenizer.encode(PROMPT)
    assert text_of(complete(client, prompt=ids)) == greedy(served)
    several = complete(client, prompt=[PROMPT, "far", ids], n=1)
    assert [choice.text for choice in several.choices] == [greedy(served), greedy(served, "far"), greedy(served)]
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    assert text_of(complete(client, prompt="")) == text_of(complete(client, prompt=None)) == greedy(served, "")


def test_a_special_token_that_a_prompt_spells_is_plain_text(client, served):
    n = complete(client, prompt="<|im_end|>").usage.prompt_tokens
    assert n == len(served.tokenizer.encode("<|im_end|>")) > 1


def test_a_seed_makes_n_different_texts_repeatable(client):
    one, two = (complete(client, temperature=1.5, n=3, seed=7) for _ in range(2))
    assert [c.text for c in one.choices] == [c.text for c in two.choices]
    assert len({c.text for c in one.choices}) == 3
    assert text_of(complete(client, temperature=1.5, seed=7)) == text_of(one)
    assert text_of(complete(client, temperature=1.5, seed=8)) == text_of(one, 1)


@pytest.mark.slow
def test_without_a_seed_texts_differ(client):
    assert len({text_of(complete(client, temperature=2)) for _ in range(3)}) == 3


def test_a_small_top_p_takes_the_likeliest(client, served):
    assert text_of(complete(client, temperature=2, top_p=1e-6)) == greedy(served)


def test_top_k_and_repetition_penalty_are_understood_too(client, served):
    assert text_of(complete(client, temperature=2, extra_body={"top_k": 1})) == greedy(served)
    penalised = text_of(complete(client, extra_body={"repetition_penalty": 1.9}))
    assert penalised == greedy(served, repetition_penalty=1.9) != greedy(served)


@pytest.mark.parametrize("several", [False, True])
def test_a_text_ends_before_a_stop_text(client, served, several):
    whole = greedy(served)
    stop = whole[5:8]
    answer = complete(client, stop=["never comes", stop] if several else stop)
    assert text_of(answer) == whole[:whole.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


def test_a_stream_is_the_same_text_in_pieces(client):
    whole = complete(client, temperature=1, seed=3, n=2)
    chunks = list(complete(client, temperature=1, seed=3, n=2, stream=True))
    for i in (0, 1):
        mine = [chunk.choices[0] for chunk in chunks if chunk.choices[0].index == i]
        assert "".join(choice.text for choice in mine) == text_of(whole, i)
        assert [choice.finish_reason for choice in mine][-1] == "length"
        assert {choice.finish_reason for choice in mine[:-1]} == {None}
    assert len(chunks) > 12
    assert {chunk.id for chunk in chunks} == {chunks[0].id}


def test_a_stream_ends_with_its_usage_if_asked(client):
    chunks = list(complete(client, stream=True, stream_options={"include_usage": True}))
    assert {chunk.usage for chunk in chunks[:-1]} == {None}
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], 12)


def test_a_stream_is_server_sent_events_and_says_when_it_is_done(url):
    status, headers, body = ask(url, "/v1/completions", {"model": NAME, "prompt": "a", "stream": True})
    assert (status, headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    lines = body.split("\n\n")
    assert all(line.startswith('data: {"id":"cmpl-') for line in lines[:-2])
    assert lines[-2:] == ["data: [DONE]", ""]


def test_logprobs_are_the_models(client, served):
    log = complete(client, logprobs=3).choices[0].logprobs
    ids = served.tokenizer.encode(PROMPT)
    for token, logprob, top in zip(log.tokens, log.token_logprobs, log.top_logprobs, strict=True):
        row = logprobs_by_hand(served, ids)[-1]
        chosen = int(row.argmax())                     # the temperature is 0
        assert logprob == pytest.approx(float(row[chosen]), abs=1e-5) == top[token]
        assert sorted(top.values()) == pytest.approx(row.topk(3).values.flip(0).tolist(), abs=1e-5)
        ids.append(chosen)


def test_logprobs_do_not_depend_on_the_temperature(client):
    cold, hot = (complete(client, temperature=t, max_tokens=1, logprobs=5).choices[0].logprobs for t in (0, 2))
    assert cold.top_logprobs[0] == pytest.approx({k: v for k, v in hot.top_logprobs[0].items()
                                                  if k in cold.top_logprobs[0]}, abs=1e-6)


def test_offsets_say_where_tokens_begin_also_within_a_character(client, served):
    choice = complete(client, max_tokens=40, logprobs=0, temperature=2, seed=0).choices[0]
    text, log = choice.text, choice.logprobs
    raw = b"".join(bytes(int(x, 16) for x in t[6:].split("\\x")[1:]) if t.startswith("bytes:") else t.encode()
                   for t in log.tokens)
    assert codecs.decode(raw, "utf-8", "replace") == text
    assert "\ufffd" in text
    for token, offset in zip(log.tokens, log.text_offset, strict=True):
        if not token.startswith("bytes:"):
            assert text[offset:offset + len(token)] == token


def test_streamed_logprobs_are_those_of_the_whole(client):
    whole = complete(client, logprobs=2).choices[0].logprobs
    pieces = [chunk.choices[0].logprobs for chunk in complete(client, logprobs=2, stream=True)]
    for name in ("tokens", "token_logprobs", "text_offset", "top_logprobs"):
        assert [value for piece in pieces for value in getattr(piece, name)] == getattr(whole, name)


def test_fields_that_ask_nothing_are_no_mistake(client, served):
    answer = complete(client, best_of=1, echo=False, frequency_penalty=0, logit_bias={}, suffix=None, user="me", n=None)
    assert text_of(answer) == greedy(served)


@pytest.mark.slow
def test_a_text_may_outgrow_the_context_with_window():
    with in_background(tiny(window=True, max_tokens=100)) as url:
        answer = complete(openai_client(url), prompt=PROMPT * 20, max_tokens=100)
        assert answer.usage.completion_tokens == 100
