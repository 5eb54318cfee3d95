"""One training step in NumPy, every gradient by hand, beside the same step in eager PyTorch, spelled out alike."""
import statistics
import time

import numpy as np
import torch

from minigpt.benchmarks.machine import matmul_peak, training_flops_per_token
from minigpt.causal_lm import causal_lm
from minigpt.config import preset
from minigpt.optimisers import AdamW
from minigpt.reference.causal_lm import causal_lm_backward, causal_lm_forward
from minigpt.reference.optimisers import adamw
from minigpt.reference.transformer import transformer_backward, transformer_forward
from minigpt.transformer import Transformer

AT_MOST = 2.0           # times as long as PyTorch's


def run(*, name="gpt2-nano", vocab_size=4096, batch_size=8, rounds=15):
    """Measure a float32 training step of both, in turn, and print a table. Returns {version: median seconds}."""
    config = preset(name, vocab_size=vocab_size)
    model = Transformer(config, generator=torch.Generator().manual_seed(0))
    shape = batch_size, config.context_length + 1
    ids = torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(0))
    seconds = {"NumPy": [], "PyTorch": []}
    steps = {"NumPy": numpy_steps(model, config, ids.numpy()), "PyTorch": torch_steps(model, ids)}
    for _ in range(rounds + 2):
        losses = {}
        for version, step in steps.items():
            started = time.perf_counter()
            losses[version] = next(step)
            seconds[version].append(time.perf_counter() - started)
    medians = {version: statistics.median(times[2:]) for version, times in seconds.items()}
    print(table(medians, losses, config, model.n_parameters, batch_size, name, rounds))
    return medians


def numpy_steps(model, config, ids):
    """Train a copy of the model's weights by hand; gives the loss of each step."""
    params = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    ms, vs = ([np.zeros_like(p) for p in params.values()] for _ in range(2))
    step = 0
    while True:
        step += 1
        logits, cache = transformer_forward(ids[:, :-1], params, config)
        loss, loss_cache = causal_lm_forward(logits, ids)
        dparams = transformer_backward(causal_lm_backward(1.0, loss_cache), cache)
        updated, ms, vs = adamw(list(params.values()), [dparams[n] for n in params], ms, vs, step, lr=1e-3)
        params = dict(zip(params, updated, strict=True))
        yield float(loss)


def torch_steps(model, ids):
    """Train the model with the spelled-out functions and autograd; gives the loss of each step."""
    optimiser = AdamW(model.parameters(), lr=1e-3)
    while True:
        loss = causal_lm(model(ids[:, :-1]), ids)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        yield loss.item()


def table(medians, losses, config, n_parameters, batch_size, name, rounds):
    """The measurement as lines of text."""
    tokens, peak = batch_size * config.context_length, matmul_peak()
    flops = training_flops_per_token(config, n_parameters)
    lines = [f"A training step of {name} in float32: {tokens:,} tokens, {torch.get_num_threads()} threads, medians of "
             f"{rounds} rounds",
             f"{'':<10} {'ms a step':>10} {'tokens/s':>10} {'share of peak':>14} {'loss':>9}"]
    for version, each in medians.items():
        lines.append(f"{version:<10} {1e3 * each:>10.1f} {tokens / each:>10,.0f} {tokens * flops / each / peak:>14.0%} "
                     f"{losses[version]:>9.5f}")
    ratio = medians["NumPy"] / medians["PyTorch"]
    return "\n".join([*lines, f"NumPy takes {ratio:.2f} times as long (at most {AT_MOST:g} is the aim)"])
