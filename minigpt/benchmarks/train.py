"""The plain recipe of 2019 and `fast`, one after the other: the seconds of training that each takes to one loss.

The plain recipe is what is commonly run on a laptop: characters of about 1 MB of Shakespeare, 4 layers, 4 heads,
width 128, context 64, batch 12, GELU, LayerNorm, learned positions, AdamW 1e-3 along a cosine to 1e-4 after 100
steps of warm-up, beta2 .99, no dropout, 2,000 steps. `fast` has no more parameters, reads the same text in windows
of the same length, and is judged on the same sample. The loss to reach is where the plain recipe ends.
"""
import pathlib
import statistics
from collections import namedtuple

import numpy as np
import torch

from minigpt.benchmarks.machine import matmul_peak, training_flops_per_token
from minigpt.config import TrainConfig, preset, recipe
from minigpt.data.batches import TokenBatches, validation_batches
from minigpt.data.corpus import load_corpus
from minigpt.evaluation import next_token
from minigpt.pictures import figure, save
from minigpt.tokenizer import CharTokenizer
from minigpt.training import train
from minigpt.transformer import Transformer

T, CHARACTERS = 64, 1_000_000           # the context; characters to learn from
STEPS = {"plain": 2000, "fast": 320}
PICTURE = pathlib.Path("runs/bench-train.png")
Curve = namedtuple("Curve", "name seed steps seconds losses tokens n_parameters flops")


def run(*, rounds=3, steps=None, picture=PICTURE):
    """Train both with as many seeds as rounds, print the curves and the ratio, draw a picture. Returns the ratios."""
    steps = STEPS | (steps or {})
    text, held_out, vocab_size = characters()
    sample = validation_batches(held_out, T, 64, 6)
    models = {"plain": (preset("gpt2-nano", vocab_size=vocab_size, context_length=T, feed_forward="gelu", bias=False),
                        TrainConfig(steps=steps["plain"], batch_size=12, lr=1e-3, min_lr_ratio=0.1, beta2=0.99,
                                    warmup=0.05, evaluate_every=max(1, steps["plain"] // 20))),
              "fast": (preset("fast", vocab_size=vocab_size, context_length=T),
                       recipe("fast", steps=steps["fast"], batch_size=12, evaluate_every=max(1, steps["fast"] // 20)))}
    peak, curves = matmul_peak(), []
    for seed in range(rounds):
        for name, (model, settings) in models.items():
            curves.append(train_one(name, seed, model, settings, text, sample))
    ratios = [ratio(*(curve for curve in curves if curve.seed == seed)) for seed in range(rounds)]
    print(table(curves, ratios, peak))
    if picture:
        picture.parent.mkdir(parents=True, exist_ok=True)
        save(draw(curves), picture)
        print(f"the curves are drawn in {picture}")
    return ratios


def characters():
    """(ids to learn from, held-out ids, number of characters): the first of the corpus, by a character tokenizer."""
    corpus = load_corpus("shakespeare", fallback=True)
    text = "\n".join(corpus.train)[:CHARACTERS]
    tokenizer = CharTokenizer.train([text])
    held_out = "\n".join(corpus.validation)[:CHARACTERS // 8]
    return *(np.array(tokenizer.encode(part), dtype=np.int32) for part in (text, held_out)), tokenizer.vocab_size


def train_one(name, seed, model, settings, ids, sample, progress=True):
    """One training, with a progress bar; its Curve."""
    weights = Transformer(model, generator=torch.Generator().manual_seed(seed))
    batches = TokenBatches(ids, model.context_length, settings.batch_size, seed)
    if progress:
        print(f"{name}, seed {seed}: {weights.n_parameters:,} parameters", flush=True)
    result = train(weights, next_token, batches, settings, validation=sample, progress=progress)
    column = {key: np.array([record[key] for record in result.records]) for key in ("step", "seconds", "val_loss")}
    return Curve(name, seed, column["step"], column["seconds"], column["val_loss"], result.tokens,
                 weights.n_parameters, training_flops_per_token(model, weights.n_parameters))


def seconds_to(curve, loss):
    """Seconds of training until a curve is first at a loss, on a straight line between two points; inf if never."""
    below = np.flatnonzero(curve.losses <= loss)
    if len(below) == 0:
        return np.inf
    k = below[0]
    if k == 0:
        return 0.0
    share = (curve.losses[k - 1] - loss) / (curve.losses[k - 1] - curve.losses[k])
    return curve.seconds[k - 1] + share * (curve.seconds[k] - curve.seconds[k - 1])


def ratio(plain, fast):
    """How many times as long the plain recipe takes to the loss where it ends."""
    return plain.seconds[-1] / seconds_to(fast, plain.losses[-1])


def table(curves, ratios, peak):
    """Both curves and the ratio, as lines of text."""
    lines = [f"\n{'':<16} {'parameters':>10} {'steps':>6} {'seconds':>8} {'ms a step':>10} {'share of peak':>14} "
             f"{'loss, nats/character':>21}"]
    for c in curves:
        share = c.tokens * c.flops / c.seconds[-1] / peak
        lines.append(f"{c.name + f', seed {c.seed}':<16} {c.n_parameters:>10,} {c.steps[-1]:>6,} {c.seconds[-1]:>8.1f} "
                     f"{1e3 * c.seconds[-1] / c.steps[-1]:>10.1f} {share:>14.0%} {c.losses[-1]:>21.3f}")
    lines.append(f"\nvalidation loss after so many seconds of training ({torch.get_num_threads()} threads, matrix "
                 f"product {peak / 1e9:.0f} GFLOP/s)")
    until = max(c.seconds[-1] for c in curves)
    moments = until * np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0])
    lines.append(" " * 16 + "".join(f"{moment:>8.1f}" for moment in moments))
    for c in curves:
        at = [f"{np.interp(m, c.seconds, c.losses):.3f}" if m <= c.seconds[-1] else "" for m in moments]
        lines.append(f"{c.name + f', seed {c.seed}':<16}" + "".join(f"{text:>8}" for text in at))
    each = ", ".join(f"{r:.2f}" for r in ratios)
    lines.append(f"\nto the loss where the plain recipe ends, it takes {statistics.median(ratios):.2f} times as long "
                 f"as fast (median of {each}; at least 3 is the aim)")
    return "\n".join(lines)


def draw(curves):
    """Loss against seconds of training, both recipes, every seed."""
    fig, ax = figure()
    for c in curves:
        style = {"plain": ("o", "#0072B2"), "fast": ("s", "#E69F00")}[c.name]
        ax.plot(c.seconds, c.losses, marker=style[0], color=style[1], markersize=3, linewidth=1,
                label=c.name if c.seed == 0 else None)
    last = statistics.median(c.losses[-1] for c in curves if c.name == "plain")
    ax.axhline(last, color="black", linewidth=0.8, linestyle=":")
    ax.set(xlabel="seconds of training", ylabel="validation loss (nats per character)", ylim=(last - 0.1, last + 0.9))
    ax.legend(frameon=False)
    return fig
