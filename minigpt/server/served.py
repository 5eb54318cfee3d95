"""A model that is served: its name, its limits, and how a request becomes tokens and steps."""
import time
from collections import deque
from dataclasses import dataclass, field

import torch

from minigpt.chat_template import answers, chat_ids
from minigpt.evaluation import device_of
from minigpt.kv_cache import KVCache
from minigpt.server.refusals import Refusal
from minigpt.swap import implementation, use
from minigpt.writing import pieces, prompt_ids

PART = 64               # tokens of a prompt that are read in one step, while others wait
WORTH = 32              # tokens that a text must have in common with an earlier one, to go on with what was read of it
SPARE = 1024            # tokens, room for the next turn
TOO_LONG = {"param": "max_tokens", "code": "context_length_exceeded"}


class Caches:
    """What was read of the last texts: the next turn of a conversation need not read those before it again.

    most: how many texts. Each takes memory for its tokens, 46 KB a token for SmolLM2.
    """

    def __init__(self, most=2):
        self._kept = deque(maxlen=most)                # the oldest falls out

    def take(self, config, prompt, limit):
        """A KVCache with room for a prompt and `limit` tokens; the one that knows most of the prompt, or a new one."""
        needed = min(config.context_length, len(prompt) + limit)
        able = [cache for cache in self._kept if cache.capacity >= needed and shared(cache, prompt) >= WORTH]
        if not able:
            return KVCache(config, min(config.context_length, needed + SPARE))
        best = max(able, key=lambda cache: shared(cache, prompt))
        self._kept.remove(best)
        return best

    def give_back(self, cache):
        """Keep a cache that nobody uses any more."""
        self._kept.append(cache)


def shared(cache, prompt):
    """How many tokens a cache and a prompt have in common at their beginning."""
    n = min(cache.length, len(prompt))
    differs = torch.nonzero(cache.ids[0, :n].cpu() != torch.tensor(prompt[:n])) if n else ()
    return int(differs[0]) if len(differs) else n


@dataclass(frozen=True)
class Served:
    """A model with its tokenizer, and what a request may ask of it.

    max_tokens: the most to write for one choice. window: of a text that is longer than the context the model sees the
    end; otherwise it is refused.
    """
    name: str
    model: object
    tokenizer: object
    max_tokens: int = 1024
    window: bool = False
    created: int = field(default_factory=lambda: int(time.time()))
    caches: Caches = field(default_factory=Caches)

    def card(self):
        """What /v1/models says of it; the fields that OpenAI's API does not have are for the page."""
        return {"id": self.name, "object": "model", "created": self.created, "owned_by": "minigpt",
                "chat": self.chats, "context_length": self.context_length, "window": self.window,
                "max_tokens": self.max_tokens}

    @property
    def chats(self):
        """Whether it was made to answer."""
        return answers(self.tokenizer)

    @property
    def context_length(self):
        """The most tokens that the model sees."""
        return self.model.config.context_length

    def prompts(self, fields):
        """The token ids of each prompt of a request. Raises Refusal for one that cannot be."""
        if hasattr(fields, "prompt"):
            return [self._ids(prompt) for prompt in fields.prompt]
        if not self.chats:
            raise Refusal(400, f"{self.name} has no chat template: it was trained to continue texts, not to answer; "
                          "ask POST /v1/completions", param="messages")
        return [chat_ids(self.tokenizer, [message.plain() for message in fields.messages])]

    def limit(self, prompts, fields):
        """How many tokens to write at most. Raises Refusal, with the way out, if there is no room for as many."""
        asked, longest, context = fields.max_tokens or 0, max(map(len, prompts)), self.context_length
        room = self.max_tokens if self.window else context - longest
        if room < 1:
            raise Refusal(400, f"the prompt has {longest} tokens, but the model sees {context}, its answer included; "
                          "shorten it, or start the server with --window", **TOO_LONG)
        if asked > self.max_tokens:
            raise Refusal(400, f"max_tokens={asked} is more than this server gives; ask for at most "
                          f"{self.max_tokens}, or start it with a larger --max-tokens", param="max_tokens")
        if asked > room:
            raise Refusal(400, f"max_tokens={asked} after a prompt of {longest} tokens is more than the model sees, "
                          f"{context}; ask for at most {room}, or start the server with --window", **TOO_LONG)
        return asked or min(room, self.max_tokens, fields.default_tokens or room)

    def steps(self, prompts, fields, limit):
        """(number of the choice, piece of its text) of one choice after the other, and None for other work done."""
        options = {"max_new_tokens": limit, "temperature": fields.temperature, "top_p": fields.top_p,
                   "top_k": fields.top_k, "repetition_penalty": fields.repetition_penalty, "stop": fields.stop,
                   "window": self.window, "alternatives": fields.alternatives}
        for i, prompt in enumerate(prompts):
            cache = self.caches.take(self.model.config, prompt, limit)
            yield from self._read(prompt, cache)
            for nth in range(fields.n):
                seed = None if fields.seed is None else (fields.seed + nth) % 2**63
                for piece in pieces(self.model, self.tokenizer, prompt, seed=seed, cache=cache, **options):
                    yield i * fields.n + nth, piece
            self.caches.give_back(cache)

    def _read(self, prompt, cache):
        """Read all of a prompt but its last token into the cache, a part in each step."""
        if len(prompt) > self.context_length:
            return
        ids = torch.tensor([prompt[:-1]], device=device_of(self.model))           # (1,T)
        cache.keep(torch.tensor(prompt, device=ids.device))
        while cache.length < ids.shape[1]:
            with torch.no_grad(), use(**implementation("fused")):
                self.model.hidden(ids[:, cache.length:cache.length + PART], cache=cache)
            yield None

    def _ids(self, prompt):
        if not isinstance(prompt, str) and not 0 <= min(prompt) <= max(prompt) < self.tokenizer.vocab_size:
            raise Refusal(400, f"the prompt has ids from {min(prompt)} to {max(prompt)}, but the model's tokens are "
                          f"0 to {self.tokenizer.vocab_size - 1}", param="prompt")
        return prompt_ids(self.tokenizer, prompt)
