"""Tokens per second of SmolLM2-135M-Instruct by the form of its weights, beside what the memory of the machine allows.

One text, always the likeliest token, a KV cache. To write a token every weight is read once, so that no form can be
quicker than the memory's bytes per second divided by the form's bytes per token. If the transformers library is
installed, it writes with the same weights in the same run; in float32 both must choose the same tokens.

A token is some hundred small products, after each of which PyTorch's threads wait for the next. minigpt lets waiting
threads sleep (see minigpt/__init__.py), which costs half the speed here, and saves ten times as much where another
program needs the cores. On Linux `bench decode` lets them spin for a moment first, GOMP_SPINCOUNT=5000, for all that
it measures; set the same for `generate` or `chat` on a machine that has nothing else to do.
"""
import importlib.util
import itertools
import os
import statistics
import time
from collections import namedtuple

import torch
from tqdm import tqdm

from minigpt.benchmarks.machine import memory_bandwidth
from minigpt.inference import bytes_per_token, prepare
from minigpt.kv_cache import KVCache
from minigpt.packed import FORMS
from minigpt.pretrained import load
from minigpt.pretrained.export import llama_tensors, llama_values
from minigpt.swap import implementation, use

PROMPT = ("A language model reads a text and says how likely each token is to come next. To write, it chooses one of "
          "the likely tokens, puts it at the end of the text, and reads again. ") * 4
PLAIN, LIBRARY = "float32, not packed", "transformers, float32"
Speed = namedtuple("Speed", "decode prefill n_bytes tokens")       # tokens per second, twice; bytes a token; the ids


def run(*, rounds=5, n_tokens=48, model=None, prompt=PROMPT):
    """Measure each form in turn, and print a table. Returns {name: Speed}.

    model: (model, tokenizer), None for smollm2.
    """
    model, tokenizer = model or load("smollm2")
    ids = torch.tensor([tokenizer.encode(prompt)])
    writers = {PLAIN: (ours(model), bytes_per_token(model))}
    for form in tqdm(FORMS, desc="packing", leave=False):
        quick = prepare(model, form)
        writers[form] = ours(quick), bytes_per_token(quick)
    if importlib.util.find_spec("transformers"):
        writers[LIBRARY] = theirs(model), bytes_per_token(model)
    speeds = measure(writers, ids, n_tokens, rounds)
    print(table(speeds, memory_bandwidth(), ids.shape[1], n_tokens))
    return speeds


def measure(writers, ids, n_tokens, rounds):
    """{name: Speed}: medians over the tokens of all rounds, in which the writers take turns, after one to warm up.

    writers: {name: (function (ids, n, clock) -> n new ids, bytes per token)}; it calls clock() at each of them.
    """
    first, between, tokens = ({name: [] for name in writers} for _ in range(3))
    for at in tqdm(range(rounds + 1), desc="measuring", leave=False):
        for name, (write, _) in writers.items():
            times = [time.perf_counter()]
            tokens[name] = write(ids, n_tokens + 1, lambda times=times: times.append(time.perf_counter()))
            if at:
                first[name].append(times[1] - times[0])
                between[name] += [after - before for before, after in itertools.pairwise(times[1:])]
    return {name: Speed(1 / statistics.median(between[name]), ids.shape[1] / statistics.median(first[name]), n_bytes,
                        tokens[name]) for name, (_, n_bytes) in writers.items()}


def ours(model):
    """A writer: the likeliest token, each after the one before."""
    @torch.no_grad()
    def write(ids, n, clock=lambda: None):
        cache, new = KVCache(model.config, ids.shape[1] + n), []
        with use(**implementation("fused")):
            while len(new) < n:
                logits = model.score(model.hidden(ids, cache=cache)[:, -1])       # (1,V)
                ids = logits.argmax(dim=-1, keepdim=True)                         # (1,1)
                new.append(int(ids))
                clock()
        return new
    return write


def theirs(model):
    """The same weights in the transformers library, as a writer: its own `generate`."""
    library = in_transformers(model)

    class Streamer:                                    # it is told the prompt first, then each token
        def __init__(self, clock):
            self.calls = itertools.chain([lambda: None], itertools.repeat(clock))

        def put(self, value):
            next(self.calls)()

        def end(self):
            pass

    def write(ids, n, clock=lambda: None):
        out = library.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=n, min_new_tokens=n,
                               do_sample=False, pad_token_id=0, eos_token_id=None, streamer=Streamer(clock))
        return out[0, ids.shape[1]:].tolist()
    return write


def in_transformers(model):
    """A model of Llama's architecture as the transformers library's, with the same weights, which both share."""
    import transformers  # a judge: not among what minigpt needs
    config = transformers.LlamaConfig(**llama_values(model.config), bos_token_id=None, eos_token_id=None)
    with torch.device("meta"):
        library = transformers.LlamaForCausalLM(config)
    library.load_state_dict(llama_tensors(model), assign=True, strict=False)
    library.tie_weights()
    library.model.rotary_emb = type(library.model.rotary_emb)(config=config)      # its angles are no weights
    return library.eval()


def table(speeds, bandwidth, n_prompt, n_tokens):
    """The measurement as lines of text."""
    base = LIBRARY if LIBRARY in speeds else PLAIN
    waiting = os.environ.get("GOMP_SPINCOUNT", "0, they sleep")
    lines = [f"{torch.get_num_threads()} threads (spins while they wait: {waiting}); memory is read at "
             f"{bandwidth / 1e9:.1f} GB/s; {n_tokens} tokens after a prompt of {n_prompt}",
             f"{'':<22} {'MB a token':>10} {'tokens/s':>9} {'memory allows':>14} {'reached':>8} {'ratio':>6} "
             f"{'prompt tokens/s':>16}"]
    for name, s in speeds.items():
        limit = bandwidth / s.n_bytes
        lines.append(f"{name:<22} {s.n_bytes / 1e6:>10.0f} {s.decode:>9.1f} {limit:>14.0f} {s.decode / limit:>8.0%} "
                     f"{s.decode / speeds[base].decode:>6.2f} {s.prefill:>16,.0f}")
    lines.append(f"ratio: to {base}")
    same = {name: agreement(speeds[base].tokens, s.tokens) for name, s in speeds.items() if name != base}
    lines.append(f"tokens like those of {base}, up to the first that differs: "
                 + ", ".join(f"{name} {n}" for name, n in same.items()) + f", of {len(speeds[base].tokens)}")
    return "\n".join(lines)


def agreement(a, b):
    """How many tokens two texts have in common before they part."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), len(a))
