"""What a request may say: the fields of OpenAI's API that we understand, their limits, and what is wrong with one."""
import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from minigpt.listing import suggest

ALSO_CALLED = {                                        # what other programs call it
    "n_best": "n", "num_return_sequences": "n", "max_new_tokens": "max_tokens", "max_length": "max_tokens",
    "max_output_tokens": "max_tokens", "stop_sequences": "stop", "input": "prompt", "text": "prompt",
}
NEUTRAL = {                                            # fields that we do not have, and what asks nothing of us
    "best_of": (1,), "suffix": ("",), "echo": (False,), "logit_bias": ({},), "user": (str,),
    "frequency_penalty": (0,), "presence_penalty": (0,), "metadata": (dict,), "safety_identifier": (str,),
    "tools": ([],), "tool_choice": ("none", "auto"), "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},), "store": (False,), "service_tier": ("auto", "default"),
    "modalities": (["text"],),
}
Count = Annotated[int, Field(ge=1)]


class Strict(BaseModel):
    """Fields of exactly these names and types; null is as good as nothing."""
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_what_asks_nothing(cls, values):
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value is not None and not _asks_nothing(name, value)}


class StreamOptions(Strict):
    """What a stream says beside the text."""
    include_usage: bool = False
    include_obfuscation: bool = False                  # we send none


class Fields(Strict):
    """What both kinds of request have."""
    model: str
    max_tokens: Count | None = None
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: Count | None = None                         # this and the next are not in OpenAI's API
    repetition_penalty: float = Field(1.0, gt=0, le=2)
    n: int = Field(1, ge=1, le=8)
    stop: str | list[str] = []
    seed: int | None = Field(None, ge=0, lt=2**63)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()

    @field_validator("stop")
    @classmethod
    def _several(cls, stop):
        stop = [stop] if isinstance(stop, str) else stop
        if len(stop) > 4 or not all(0 < len(text) <= 200 for text in stop):
            raise ValueError("give at most 4 texts, of 1 to 200 characters each")
        return stop

    @model_validator(mode="after")
    def _options_belong_to_a_stream(self):
        if "stream_options" in self.model_fields_set and not self.stream:
            raise ValueError("stream_options are for stream=true; leave them out, or stream")
        return self


class CompletionFields(Fields):
    """POST /v1/completions. prompts: texts or lists of token ids."""
    default_tokens: ClassVar = 16                      # as with OpenAI
    prompt: Any = [""]                                 # the beginning of a text
    logprobs: int | None = Field(None, ge=0, le=20)

    @field_validator("prompt")
    @classmethod
    def _several_prompts(cls, prompt):
        prompts = prompt if isinstance(prompt, list) and not _are_ids(prompt) else [prompt]
        if not prompts or len(prompts) > 8 or not all(isinstance(p, str) or _are_ids(p) for p in prompts):
            raise ValueError("give a text, a list of token ids, or a list of at most 8 of either")
        return prompts

    @model_validator(mode="after")
    def _not_too_many(self):
        if len(self.prompt) * self.n > 8:
            raise ValueError(f"{len(self.prompt)} prompts with n={self.n} are {len(self.prompt) * self.n} texts; ask "
                             "for at most 8 at once")
        return self

    @property
    def alternatives(self):
        """Of each token, how many to tell the probability of; None for nothing about probabilities."""
        return self.logprobs


class TextPart(Strict):
    """A part of a message; others than text are not for this model."""
    type: Literal["text"]
    text: str


class Message(Strict):
    """A message of a conversation."""
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None

    def plain(self):
        """The message as the chat template takes it."""
        content = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": content}


class ChatFields(Fields):
    """POST /v1/chat/completions."""
    messages: list[Message] = Field(min_length=1, max_length=1000)
    default_tokens: ClassVar = None                    # as many as there is room for
    max_completion_tokens: Count | None = None
    logprobs: bool = False
    top_logprobs: int | None = Field(None, ge=0, le=20)

    @model_validator(mode="after")
    def _agree(self):
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("max_tokens and max_completion_tokens are the same; give one")
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs is for logprobs=true; leave it out, or set that")
        self.max_tokens = self.max_tokens or self.max_completion_tokens
        return self

    @property
    def alternatives(self):
        """Of each token, how many to tell the probability of; None for nothing about probabilities."""
        return (self.top_logprobs or 0) if self.logprobs else None


def complaint(errors, known):
    """(message, name of the field) of the first thing that is wrong. errors: as pydantic lists them. known: fields."""
    error, where = errors[0], errors[0]["loc"][:-1]
    if error["loc"][-1:] == ("str",):                  # it may be a text, or a list: what is wrong with the list?
        error = max((e for e in errors if e["loc"][:len(where)] == where), key=lambda e: len(e["loc"]))
    place = [str(part) for part in error["loc"] if part not in ("body", "str", "list[TextPart]")]
    name, value = ".".join(place), json.dumps(error.get("input"), ensure_ascii=False, default=str)
    shown = value if len(value) <= 60 else value[:57] + "..."
    if error["type"] == "json_invalid":
        return f"the body is no JSON: {error['ctx']['error']} at character {place[0]}", None
    if error["type"] == "missing":
        return (f"{name} is missing; give one" if place else "the body is empty; send JSON"), name or None
    if error["type"] == "extra_forbidden":
        return _unknown(place[-1], known if len(place) == 1 else ()), name
    if not place and error["type"] != "value_error":
        return "the body must be a JSON object, sent with the header Content-Type: application/json", None
    says = error["msg"].removeprefix("Value error, ")
    says = says[0].lower() + says[1:]
    return (f"{name}={shown}: {says}" if place else says), name or None


def _unknown(name, known):
    if name in NEUTRAL:
        return f"{name} is not supported by this server; leave it out"
    right = ALSO_CALLED.get(name)
    return f"unknown field '{name}'; " + (f"did you mean {right}?" if right in known else suggest(name, known))


def _asks_nothing(name, value):
    return any(isinstance(value, neutral) if isinstance(neutral, type) else value == neutral
               for neutral in NEUTRAL.get(name, ()))


def _are_ids(prompt):
    return isinstance(prompt, list) and bool(prompt) and all(type(i) is int for i in prompt)
