"""The NumPy model and the PyTorch model, trained side by side, stay the same model."""
import numpy as np
import pytest
import torch

from minigpt.config import TrainConfig, TransformerConfig, preset
from minigpt.evaluation import next_token
from minigpt.learner import Learner
from minigpt.reference import optimisers as reference
from minigpt.reference.causal_lm import causal_lm_backward, causal_lm_forward
from minigpt.reference.muon import POLAR_EXPRESS, muon
from minigpt.reference.schedules import warmup_constant, warmup_linear
from minigpt.reference.transformer import transformer_backward, transformer_forward
from minigpt.transformer import Transformer

STEPS, WARMUP = 30, 5
SIZE = {"vocab_size": 17, "context_length": 8, "n_layer": 2, "n_head": 2, "d_model": 8}
MUON = {"optimiser": "muon", "muon_lr": 0.005, "schedule": "linear"}     # at 0.02 so small a model turns chaotic
CONFIGS = {
    "gpt2": (TransformerConfig(**SIZE), {}),
    "untied, exact gelu": (TransformerConfig(**SIZE | {"n_layer": 1, "n_head": 4, "tied_embeddings": False},
                                             feed_forward="gelu", bias=False), {}),
    "norm after, constant rate": (TransformerConfig(**SIZE, norm_position="post"), {"schedule": "constant"}),
    "llama": (preset("llama", **SIZE | {"n_kv_head": 1}), {}),
    "fast": (preset("fast", **SIZE), MUON),
    "fast, untied": (preset("fast", **SIZE, feed_forward="relu_squared", tied_embeddings=False), MUON),
    "gpt2 by muon": (TransformerConfig(**SIZE), MUON),
}
SCHEDULES = {
    "cosine": lambda step, lr, **times: reference.warmup_cosine(step, lr=lr, min_lr=0.1 * lr, **times),
    "linear": lambda step, lr, **times: warmup_linear(step, lr=lr, **times),
    "constant": lambda step, lr, **times: warmup_constant(step, lr=lr, **times),
}


def batches(config, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(config.vocab_size, size=(4, config.context_length + 1)) for _ in range(STEPS)]


def train_numpy(params, config, settings):
    """30 steps by hand: forward, backward, clip, AdamW (and Muon). Returns the losses and the weights."""
    by_muon = [n for n, p in params.items() if settings.optimiser == "muon" and n.startswith("blocks") and p.ndim == 2]
    groups = [([n for n in params if n not in by_muon and params[n].ndim == 2], settings.weight_decay),
              ([n for n in params if n not in by_muon and params[n].ndim < 2], 0.0)]
    ms, vs = ({n: np.zeros_like(p) for n, p in params.items()} for _ in range(2))
    losses, rate = [], SCHEDULES[settings.schedule]
    for step, ids in enumerate(batches(config)):
        logits, cache = transformer_forward(ids[:, :-1], params, config)
        loss, loss_cache = causal_lm_forward(logits, ids)
        dparams = transformer_backward(causal_lm_backward(1.0, loss_cache), cache)
        gradients = dict(zip(params, reference.clip_gradients([dparams[n] for n in params], 1.0)[0], strict=True))
        for names, decay in groups:
            given = [[values[n] for n in names] for values in (params, gradients, ms, vs)]
            lr = rate(step, settings.lr, steps=STEPS, warmup=WARMUP)
            new = reference.adamw(*given, step + 1, lr=lr, beta2=0.99, weight_decay=decay)
            for values, changed in zip((params, ms, vs), new, strict=True):
                values |= dict(zip(names, changed, strict=True))
        given = [[values[n] for n in by_muon] for values in (params, gradients, ms)]
        new = muon(*given, lr=rate(step, settings.muon_lr, steps=STEPS, warmup=WARMUP),
                   weight_decay=0.1, steps=3, polynomials=POLAR_EXPRESS)
        for values, changed in zip((params, ms), new, strict=True):
            values |= dict(zip(by_muon, changed, strict=True))
        losses.append(float(loss))
    return losses, params


@pytest.mark.parametrize("name", list(CONFIGS))
def test_thirty_steps_of_both_agree_to_1e_11(name):
    config, changes = CONFIGS[name]
    settings = TrainConfig(**{"steps": STEPS, "lr": 3e-3, "warmup": WARMUP / STEPS} | changes)
    model = Transformer(config, generator=torch.Generator().manual_seed(0)).double()
    params = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    losses, weights = train_numpy(params, config, settings)
    learner = Learner(model, next_token, lambda step: [torch.tensor(batches(config)[step])], settings)
    losses_torch = [learner.take_step()[0] for _ in range(STEPS)]
    weights_torch = {name: p.detach().numpy() for name, p in model.named_parameters()}
    assert losses[-1] < losses[0] - 0.005
    assert max(abs(a - b) for a, b in zip(losses, losses_torch, strict=True)) < 1e-11
    assert max(np.abs(weights[name] - weights_torch[name]).max() for name in weights) < 1e-11
