"""The block of 2017 and today's: one change at a time, with equal parameters, and what each of them is worth.

Two questions, since the worth of a change depends on what is there already: what does each add on the way from the
old block to the new one (the ladder), and what is lost when one is taken out of the new block (without)? The old
block has its norms behind the sums, learned positions and no rotation; GELU stands for the ReLU of 2017. A change
that brings or saves parameters pays with the width of the feed-forward. Each is trained at several learning rates
with the first seed, and at the best of them with the others.
"""
import statistics
from dataclasses import replace

import numpy as np
import torch

from minigpt.benchmarks.train import characters, seconds_to, train_one
from minigpt.config import TrainConfig, TransformerConfig
from minigpt.data.batches import validation_batches
from minigpt.transformer import Transformer

CHANGES = {                                            # in the order in which they became usual
    "norm first": {"norm_position": "pre"},
    "RMS norm, no biases": {"norm": "rms_norm", "bias": False},
    "rotary positions": {"positions": "rope"},
    "SwiGLU": {"feed_forward": "swiglu"},
    "shared key heads": {"n_kv_head": 2},
    "query and key norm": {"query_key_norm": True},
    "Muon": {"optimiser": "muon"},
}
OLD = "2017"
SIZE = {"n_layer": 4, "n_head": 4, "d_model": 128, "context_length": 64}
RATES = (1e-3, 3e-3)


def run(*, rounds=3, steps=300, rates=RATES, **size):
    """Train every rung and every block without one change, print the table. Returns {name: [Curve]}."""
    size = SIZE | size
    ids, held_out, vocab_size = characters()
    sample = validation_batches(held_out, size["context_length"], 64, 6)
    curves = {}
    for name, (model, settings) in (ladder(vocab_size, **size) | without(vocab_size, **size)).items():
        settings = replace(settings, steps=steps, evaluate_every=max(1, steps // 20))
        first = [train_one(name, 0, model, replace(settings, lr=lr), ids, sample) for lr in rates]
        best = int(np.argmin([curve.losses[-1] for curve in first]))
        again = replace(settings, lr=rates[best])
        curves[name] = [first[best], *(train_one(name, seed, model, again, ids, sample) for seed in range(1, rounds))]
    print(table(curves))
    return curves


def ladder(vocab_size, **size):
    """{name: (TransformerConfig, TrainConfig)}: the old block, then each change added to those before it."""
    names = list(CHANGES)
    return {OLD: variant((), vocab_size, **size)} | {
        f"+ {name}": variant(names[:at + 1], vocab_size, **size) for at, name in enumerate(names)}


def without(vocab_size, **size):
    """{name: (TransformerConfig, TrainConfig)}: today's block with one change taken back."""
    return {f"without {left}": variant([name for name in CHANGES if name != left], vocab_size, **size)
            for left in CHANGES}


def variant(names, vocab_size, *, batch_size=12, **size):
    """(TransformerConfig, TrainConfig) of the old block with these changes, as large as the old one."""
    old = {"vocab_size": vocab_size, "norm_position": "post", "feed_forward": "gelu"} | size
    changes = {key: value for name in names for key, value in CHANGES[name].items()}
    optimiser = changes.pop("optimiser", "adamw")
    model = of_size(TransformerConfig(**old | changes), n_parameters(TransformerConfig(**old)))
    return model, TrainConfig(steps=1, batch_size=batch_size, lr=3e-3, optimiser=optimiser, schedule="linear",
                              weight_decay=0.0)


def of_size(config, goal):
    """The config with the width of feed-forward that brings it nearest to `goal` parameters."""
    def size(d_ff):
        return n_parameters(replace(config, d_ff=d_ff))
    each = size(config.d_ff + 1) - size(config.d_ff)   # parameters that one more hidden feature costs
    return replace(config, d_ff=max(1, config.d_ff + round((goal - size(config.d_ff)) / each)))


def n_parameters(config):
    """How many numbers a model of this shape learns; nothing is allocated."""
    with torch.device("meta"):
        return Transformer(config).n_parameters


def table(curves):
    """A line for each block: loss at the end, its spread, seconds until the loss where the old block ends."""
    goal = statistics.median(curve.losses[-1] for curve in curves[OLD])
    whole = statistics.median(curve.seconds[-1] for curve in curves[OLD])
    lines = [f"\n{'':<30} {'parameters':>10} {'ms a step':>10} {'loss':>8} {'spread':>8} {'time to the old loss':>21}"]
    for name, several in curves.items():
        losses = [curve.losses[-1] for curve in several]
        share = statistics.median(seconds_to(curve, goal) for curve in several) / whole
        lines.append(f"{name:<30} {several[0].n_parameters:>10,} "
                     f"{1e3 * statistics.median(c.seconds[-1] / c.steps[-1] for c in several):>10.1f} "
                     f"{statistics.median(losses):>8.3f} {max(losses) - min(losses):>8.3f} "
                     + (f"{share:>20.0%}" if np.isfinite(share) else f"{'not reached':>20}"))
    return "\n".join([*lines, f"\nlosses: nats per character of held-out text, medians of {len(several)} seeds; the "
                      f"time is a share of what the block of {OLD} takes to {goal:.3f}"])
