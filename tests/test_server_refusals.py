"""What the server refuses: in the form of OpenAI's API, with what is wrong and the way out; and it goes on."""
import pytest
from served import NAME, T, ask, openai_client, refused, tiny

from minigpt.server.running import in_background


@pytest.fixture(scope="module")
def url():
    with in_background(tiny(), body_bytes=20_000) as url:
        yield url


@pytest.fixture(autouse=True)
def _goes_on(url):
    yield
    assert ask(url, "/v1/completions", {"model": NAME, "prompt": "a", "max_tokens": 1})[0] == 200


def complaint(url, path="/v1/completions", **fields):
    """(field, message) with which fields are refused as a bad request."""
    base = {"model": NAME, "prompt": "a"} if path == "/v1/completions" else {"model": NAME, "messages": [
        {"role": "user", "content": "hi"}]}
    status, error = refused(url, base | fields, path)
    assert (status, error["type"]) == (400, "invalid_request_error")
    return error["param"], error["message"]


@pytest.mark.parametrize(("wrong", "right"), [
    ("n_best", "n"), ("max_new_tokens", "max_tokens"), ("temprature", "temperature"), ("stop_sequences", "stop"),
    ("max_length", "max_tokens"),
])
def test_an_unknown_field_is_refused_with_the_known_one(url, wrong, right):
    assert complaint(url, **{wrong: 2}) == (wrong, f"unknown field '{wrong}'; did you mean {right}?")


def test_a_field_that_resembles_none_is_refused_with_the_known_ones(url):
    assert complaint(url, zzz=1)[1].startswith("unknown field 'zzz'; known: ")


@pytest.mark.parametrize(("fields", "says"), [
    ({"temperature": -0.1}, "temperature=-0.1: input should be greater than or equal to 0"),
    ({"temperature": 2.5}, "temperature=2.5: input should be less than or equal to 2"),
    ({"temperature": "hot"}, 'temperature="hot": input should be a valid number'),
    ({"temperature": float("nan")}, "temperature=NaN: input should be a finite number"),
    ({"top_p": 0}, "top_p=0: input should be greater than 0"),
    ({"max_tokens": 0}, "max_tokens=0: input should be greater than or equal to 1"),
    ({"max_tokens": 1.5}, "max_tokens=1.5: input should be a valid integer"),
    ({"max_tokens": True}, "max_tokens=true: input should be a valid integer"),
    ({"max_tokens": 10**400}, "max_tokens=1000000"),
    ({"n": 9}, "n=9: input should be less than or equal to 8"),
    ({"n": "two"}, 'n="two": input should be a valid integer'),
    ({"logprobs": True}, "logprobs=true: input should be a valid integer"),
    ({"logprobs": 21}, "logprobs=21: input should be less than or equal to 20"),
    ({"stop": [""]}, 'stop=[""]: give at most 4 texts, of 1 to 200 characters each'),
    ({"stop": ["a"] * 5}, 'stop=["a", "a", "a", "a", "a"]: give at most 4 texts'),
    ({"stop": 7}, "stop=7: input should be a valid string"),
    ({"seed": "x"}, 'seed="x": input should be a valid integer'),
    ({"stream": 1}, "stream=1: input should be a valid boolean"),
    ({"stream_options": {"include_usage": True}}, "stream_options are for stream=true"),
    ({"prompt": 3}, "prompt=3: give a text, a list of token ids, or a list of at most 8 of either"),
    ({"prompt": []}, "prompt=[]: give a text"),
    ({"prompt": ["a"] * 9}, 'prompt=["a", "a", "a", "a", "a", "a", "a", "a", "a"]: give a text'),
    ({"prompt": ["a", "b", "c"], "n": 3}, "3 prompts with n=3 are 9 texts; ask for at most 8 at once"),
    ({"prompt": [1, "a"]}, 'prompt=[1, "a"]'),
    ({"prompt": [-1]}, "the prompt has ids from -1 to -1, but the model's tokens are 0 to "),
    ({"prompt": [5, 10**30]}, f"the prompt has ids from 5 to {10**30}, but the model's tokens are 0 to "),
    ({"best_of": 3}, "best_of is not supported by this server; leave it out"),
    ({"frequency_penalty": 0.5}, "frequency_penalty is not supported by this server; leave it out"),
    ({"model": 3}, "model=3: input should be a valid string"),
])
def test_a_value_that_cannot_be(url, fields, says):
    assert complaint(url, **fields)[1].startswith(says)


@pytest.mark.parametrize(("fields", "says"), [
    ({"messages": []}, "messages=[]: list should have at least 1 item"),
    ({"messages": "hi"}, 'messages="hi": input should be a valid list'),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role=\"tool\": input should be 'system', 'dev"),
    ({"messages": [{"role": "user"}]}, "messages.0.content is missing; give one"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content=7: input should be a valid "),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "text": ""}]}]},
     "messages.0.content.0.type=\"image_url\": input should be 'text'"),
    ({"messages": [{"role": "user", "content": "x", "mood": 1}]}, "unknown field 'mood'"),
    ({"max_tokens": 3, "max_completion_tokens": 4}, "max_tokens and max_completion_tokens are the same; give one"),
    ({"top_logprobs": 3}, "top_logprobs is for logprobs=true"),
    ({"logprobs": 3}, "logprobs=3: input should be a valid boolean"),
    ({"tools": [{"type": "function"}]}, "tools is not supported by this server; leave it out"),
    ({"prompt": "x"}, "unknown field 'prompt'"),
])
def test_a_chat_that_cannot_be(url, fields, says):
    assert complaint(url, "/v1/chat/completions", **fields)[1].startswith(says)


@pytest.mark.parametrize(("options", "says"), [
    ({"prompt": "a b " * 60}, "but the model sees 160, its answer included; shorten it, or start the server with"),
    ({"max_tokens": 49}, "max_tokens=49 is more than this server gives; ask for at most 48"),
    ({"prompt": [5] * 136, "max_tokens": 48}, "max_tokens=48 after a prompt of 136 tokens is more than the model sees, "
                                              "160; ask for at most 24"),
])
def test_more_than_there_is_room_for(url, options, says):
    field, message = complaint(url, **options)
    assert field == "max_tokens"
    assert says in message


def test_a_prompt_that_just_fits_is_answered(url):
    status, _, answer = ask(url, "/v1/completions", {"model": NAME, "prompt": [5] * (T - 1)})
    assert (status, answer["usage"]["completion_tokens"]) == (200, 1)


def test_another_model(url):
    status, error = refused(url, {"model": "tinny", "prompt": "a"})
    assert (status, error["param"], error["code"]) == (404, "model", "model_not_found")
    assert error["message"] == "no model 'tinny' here; did you mean tiny?"


@pytest.mark.parametrize(("body", "says"), [
    (b"{", "the body is no JSON: Expecting property name"),
    (b"", "the body is empty; send JSON"),
    (b"[1]", "the body must be a JSON object"),
    (b'"text"', "the body must be a JSON object"),
    (b"null", "the body"),
    (b"\xff\xfe", "the body is no JSON: "),
    (b"[" * 15_000, "There was an error parsing the body"),
    (b'{"model": "tiny", "prompt": "\\ud800"}', "character 0 of the text is '\\ud800', half of a surrogate pair"),
])
def test_a_body_that_is_no_request(url, body, says):
    status, error = refused(url, body, method="POST")
    assert status == 400
    assert error["message"].startswith(says)


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/nothing", 404), ("POST", "/v1/embeddings", 404), ("GET", "/v1/completions", 405), ("GET", "/docs", 404),
    ("GET", "/v1/models/other", 404), ("GET", "/../../etc/passwd", 404),
])
def test_a_path_that_is_not_there(url, method, path, status):
    assert refused(url, None, path, method=method)[0] == status


def test_a_model_without_a_template_says_how_to_ask_it():
    with in_background(tiny(special_tokens=("<|endoftext|>",))) as url:
        field, message = complaint(url, "/v1/chat/completions")
    assert field == "messages"
    assert message.endswith("ask POST /v1/completions")


@pytest.mark.slow
def test_a_model_that_breaks_is_an_error_of_the_server_which_goes_on():
    served = tiny()
    served.model.final_norm.weight.data.fill_(float("nan"))
    with in_background(served) as url:
        status, error = refused(url, {"model": NAME, "prompt": "a"})
        assert (status, error["type"]) == (500, "server_error")
        assert '"type":"server_error"' in ask(url, "/v1/completions", {"model": NAME, "prompt": "a", "stream": True})[2]
        assert ask(url, "/v1/models")[0] == 200


@pytest.mark.slow
def test_the_official_client_tells_the_user_what_is_wrong(url):
    client = openai_client(url)
    import openai
    with pytest.raises(openai.BadRequestError, match="unknown field 'n_best'; did you mean n"):
        client.completions.create(model=NAME, prompt="a", extra_body={"n_best": 2})
    with pytest.raises(openai.NotFoundError, match="no model 'other' here"):
        client.completions.create(model="other", prompt="a")
