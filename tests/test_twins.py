"""The NumPy model and the PyTorch model, trained side by side, stay the same model."""
import numpy as np
import pytest
import torch

from minigpt.causal_lm import causal_lm
from minigpt.config import TransformerConfig
from minigpt.optimisers import AdamW, clip_gradients, warmup_cosine
from minigpt.reference import optimisers as reference
from minigpt.reference.causal_lm import causal_lm_backward, causal_lm_forward
from minigpt.reference.transformer import transformer_backward, transformer_forward
from minigpt.transformer import Transformer

STEPS = 30
RATE = {"steps": STEPS, "warmup": 5, "lr": 3e-3, "min_lr": 3e-4}
CONFIGS = {
    "gpt2": TransformerConfig(vocab_size=17, context_length=8, n_layer=2, n_head=2, d_model=8),
    "untied, exact gelu": TransformerConfig(vocab_size=17, context_length=8, n_layer=1, n_head=4, d_model=8,
                                            tied_embeddings=False, feed_forward="gelu", bias=False),
}


def batches(config, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(config.vocab_size, size=(4, config.context_length + 1)) for _ in range(STEPS)]


def train_numpy(params, config):
    """30 steps by hand: forward, backward, clip, AdamW. Returns the losses and the weights."""
    ms, vs = ([np.zeros_like(p) for p in params.values()] for _ in range(2))
    losses = []
    for step, ids in enumerate(batches(config)):
        logits, cache = transformer_forward(ids[:, :-1], params, config)
        loss, loss_cache = causal_lm_forward(logits, ids)
        dparams = transformer_backward(causal_lm_backward(1.0, loss_cache), cache)
        gradients, _ = reference.clip_gradients([dparams[name] for name in params], 1.0)
        updated, ms, vs = reference.adamw(list(params.values()), gradients, ms, vs, step + 1,
                                          lr=reference.warmup_cosine(step, **RATE), weight_decay=0.1)
        params = dict(zip(params, updated, strict=True))
        losses.append(float(loss))
    return losses, params


def train_torch(model, config):
    """The same 30 steps with autograd and our AdamW."""
    optimiser = AdamW(model.parameters(), lr=RATE["lr"], weight_decay=0.1)
    losses = []
    for step, ids in enumerate(batches(config)):
        ids = torch.tensor(ids)
        loss = causal_lm(model(ids[:, :-1]), ids)
        optimiser.zero_grad()
        loss.backward()
        gradients, _ = clip_gradients([p.grad for p in model.parameters()], 1.0)
        for p, gradient in zip(model.parameters(), gradients, strict=True):
            p.grad = gradient
        for group in optimiser.param_groups:
            group["lr"] = warmup_cosine(step, **RATE)
        optimiser.step()
        losses.append(loss.item())
    return losses, {name: p.detach().numpy() for name, p in model.named_parameters()}


@pytest.mark.parametrize("name", list(CONFIGS))
def test_thirty_steps_of_both_agree_to_1e_11(name):
    config = CONFIGS[name]
    model = Transformer(config, generator=torch.Generator().manual_seed(0)).double()
    params = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    losses, weights = train_numpy(params, config)
    losses_torch, weights_torch = train_torch(model, config)
    assert losses[-1] < losses[0] - 0.01
    assert max(abs(a - b) for a, b in zip(losses, losses_torch, strict=True)) < 1e-11
    assert max(np.abs(weights[name] - weights_torch[name]).max() for name in weights) < 1e-11
