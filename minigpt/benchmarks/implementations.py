"""One training step of the same model, spelled out and fused: the same weights, the same batch, in turn."""
import statistics
import time

import torch

from minigpt.benchmarks.machine import matmul_peak, training_flops_per_token
from minigpt.config import TrainConfig, preset
from minigpt.evaluation import next_token
from minigpt.learner import Learner
from minigpt.swap import implementation, use
from minigpt.transformer import Transformer


def run(*, name="gpt2-nano", vocab_size=4096, batch_size=8, rounds=15):
    """Measure a training step under `math` and under `fused`, in turn, and print a table. Returns its rows."""
    seconds = measure(name, vocab_size, batch_size, rounds)
    print(table(seconds, preset(name, vocab_size=vocab_size), batch_size, name))
    return seconds


def measure(name, vocab_size, batch_size, rounds):
    """{implementation: median seconds of a step}, after two steps that warm up."""
    config = preset(name, vocab_size=vocab_size)
    ids = torch.randint(vocab_size, (batch_size, config.context_length + 1), generator=torch.Generator().manual_seed(0))
    learners = {kind: Learner(Transformer(config, generator=torch.Generator().manual_seed(0)), next_token,
                              lambda step: [ids], TrainConfig(steps=rounds + 2)) for kind in ("math", "fused")}
    seconds = {kind: [] for kind in learners}
    for _ in range(rounds + 2):
        for kind, learner in learners.items():
            with use(**implementation(kind)):
                started = time.perf_counter()
                learner.take_step()
                seconds[kind].append(time.perf_counter() - started)
    return {kind: statistics.median(times[2:]) for kind, times in seconds.items()}


def table(seconds, config, batch_size, name):
    """The measurement as lines of text; the share is that of the machine's own matrix product."""
    tokens, peak = batch_size * config.context_length, matmul_peak()
    flops = training_flops_per_token(config, Transformer(config).n_parameters)
    lines = [f"A training step of {name}: {tokens:,} tokens, {torch.get_num_threads()} threads, "
             f"matrix product {peak / 1e9:.0f} GFLOP/s",
             f"{'':<10} {'ms a step':>10} {'tokens/s':>10} {'share of peak':>14} {'ratio to math':>14}"]
    for kind, each in seconds.items():
        lines.append(f"{kind:<10} {1e3 * each:>10.1f} {tokens / each:>10,.0f} {tokens * flops / each / peak:>14.0%} "
                     f"{each / seconds['math']:>14.2f}")
    return "\n".join(lines)
