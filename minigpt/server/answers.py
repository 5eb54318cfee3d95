"""What the server says: steps of generation in the shapes of OpenAI's API, whole or in chunks."""
import codecs
import json
import secrets
import time


class Answer:
    """What both kinds of answer have. A step of a choice has .text, .tokens (id, logprob, top) and .finish_reason."""

    def __init__(self, fields, served, prompt_tokens):
        self._fields, self._tokenizer, self._prompt_tokens = fields, served.tokenizer, prompt_tokens
        self._decoders, self._completion_tokens = {}, 0
        self._head = {"id": f"{self.prefix}-{secrets.token_hex(12)}", "created": int(time.time()), "model": served.name}

    def whole(self, steps):
        """The answer in one piece, as a dict. steps: (number of the choice, step), all of them."""
        choices = {}
        for i, step in steps:
            choices.setdefault(i, []).append(self._part(i, step))
        whole = [self._merged(i, parts) for i, parts in sorted(choices.items())]
        return self._head | {"object": self.kind, "choices": whole, "usage": self._usage()}

    def first(self, n):
        """What a stream of n choices begins with: chunks, as text."""
        return ()

    def chunk(self, i, step):
        """A chunk of a stream, as text."""
        return self._event(self._choice(i, **self._part(i, step)))

    def last(self):
        """What a stream ends with: chunks, as text."""
        if self._fields.stream_options.include_usage:
            yield event(self._head | {"object": self.chunk_kind, "choices": [], "usage": self._usage()})
        yield "data: [DONE]\n\n"

    def _event(self, choice):
        usage = {"usage": None} if self._fields.stream_options.include_usage else {}
        return event(self._head | {"object": self.chunk_kind, "choices": [choice]} | usage)

    def _part(self, i, step):
        self._completion_tokens += len(step.tokens)
        wanted = self._fields.alternatives is not None
        return {"text": step.text, "finish_reason": step.finish_reason,
                "logprobs": self._logprobs(i, step.tokens) if wanted else None}

    def _merged(self, i, parts):
        logprobs = None
        if parts[0]["logprobs"] is not None:
            logprobs = {name: [value for part in parts for value in part["logprobs"][name]]
                        for name in parts[0]["logprobs"]}
        return self._message(i, "".join(part["text"] for part in parts), logprobs, parts[-1]["finish_reason"])

    def _usage(self):
        return {"prompt_tokens": self._prompt_tokens, "completion_tokens": self._completion_tokens,
                "total_tokens": self._prompt_tokens + self._completion_tokens}


class CompletionAnswer(Answer):
    """The answer to POST /v1/completions."""
    prefix, kind, chunk_kind = "cmpl", "text_completion", "text_completion"

    def _choice(self, i, text, logprobs, finish_reason):
        return {"index": i, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}

    _message = _choice

    def _logprobs(self, i, tokens):
        found = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        for token in tokens:
            found["tokens"].append(spelled(self._tokenizer, token.id))
            found["token_logprobs"].append(sayable(token.logprob))
            found["top_logprobs"].append({spelled(self._tokenizer, k): sayable(value) for k, value in token.top})
            found["text_offset"].append(self._offset(i, token_bytes(self._tokenizer, token.id)))
        return found

    def _offset(self, i, raw):
        """Where a token begins in the text of choice i, in characters."""
        decoder, before = self._decoders.setdefault(i, (codecs.getincrementaldecoder("utf-8")("replace"), 0))
        after = before + len(decoder.decode(raw))
        self._decoders[i] = decoder, after
        try:
            return after - len(raw.decode())           # what came before it may have turned out to be no character
        except UnicodeDecodeError:                     # a part of a character
            return before


class ChatAnswer(Answer):
    """The answer to POST /v1/chat/completions."""
    prefix, kind, chunk_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def first(self, n):
        """Who speaks."""
        for i in range(n):
            delta = {"role": "assistant", "content": ""}
            yield self._event({"index": i, "delta": delta, "logprobs": None, "finish_reason": None})

    def _choice(self, i, text, logprobs, finish_reason):
        delta = {"content": text} if text else {}
        return {"index": i, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}

    def _message(self, i, text, logprobs, finish_reason):
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"index": i, "message": message, "logprobs": logprobs, "finish_reason": finish_reason}

    def _logprobs(self, i, tokens):
        return {"content": [self._likely(t.id, t.logprob) | {"top_logprobs": [self._likely(*k) for k in t.top]}
                            for t in tokens], "refusal": []}

    def _likely(self, token, logprob):
        return {"token": spelled(self._tokenizer, token), "logprob": sayable(logprob),
                "bytes": list(token_bytes(self._tokenizer, token))}


def event(value):
    """A server-sent event, as text: one line of JSON."""
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


def sayable(logprob):
    """A log-probability that JSON can hold: OpenAI's API says -9999 of what cannot be."""
    return max(logprob, -9999.0)


def token_bytes(tokenizer, token):
    """The bytes of a token."""
    if hasattr(tokenizer, "decode_bytes"):
        return tokenizer.decode_bytes([token])
    return tokenizer.decode([token]).encode()


def spelled(tokenizer, token):
    r"""A token as text, or like bytes:\xe4 if it is a part of a character."""
    raw = token_bytes(tokenizer, token)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)
