"""One step of learning, and all that the next one depends on."""
import math
from contextlib import contextmanager

import torch

from minigpt.errors import InputError
from minigpt.evaluation import device_of
from minigpt.muon import POLAR_EXPRESS, Muon
from minigpt.optimisers import AdamW, clip_gradients, decay_groups, warmup_cosine
from minigpt.schedules import warmup_constant, warmup_linear

UNCLIPPED = 1e30        # no gradient is as long, and it fits into a float32


class Diverged(InputError):
    """The loss or its gradient is no longer a number."""


class Learner:
    """A model and its optimiser, between two steps.

    objective: (model, batch) -> (mean loss in nats, number of targets). batches: step -> list of batches, which
    together make one step, as if they were one batch. config: a TrainConfig with steps.
    """

    def __init__(self, model, objective, batches, config):
        self.model, self.objective, self.batches, self.config = model, objective, batches, config
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimisers = new_optimisers(model, config)
        self.step = 0

    def take_step(self):
        """Learn from the batches of one step; (mean loss in nats before it, number of targets).

        Raises Diverged, with the weights as they were, if the loss or its gradient is not a number.
        """
        self.model.train()
        nats, targets, unit = 0.0, 0, None
        for batch in self.batches(self.step):
            loss, n = self.objective(self.model, batch)
            unit = unit or n                           # of equal batches, each then counts exactly once
            (loss * (n / max(unit, 1))).backward()
            nats, targets = nats + loss.item() * n, targets + n
        self.require_finite(nats, "loss")
        self._update(targets / unit if unit else 1)
        self.step += 1
        return nats / max(targets, 1), targets

    def _update(self, weight):
        """Move the weights against the gradient, which is `weight` times too long."""
        config = self.config
        used = [p for p in self.parameters if p.grad is not None]
        gradients, norm = clip_gradients([p.grad / weight for p in used], min(config.clip or UNCLIPPED, UNCLIPPED))
        self.require_finite(float(norm), "gradient")
        for p, gradient in zip(used, gradients, strict=True):
            p.grad = gradient
        for name, optimiser in self.optimisers.items():
            rate = scheduled(config.muon_lr if name == "muon" else config.lr, self.step, config)
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            optimiser.zero_grad()

    def require_finite(self, value, what):
        """Raise Diverged if a value is infinite or no number."""
        if not math.isfinite(value):
            lr = self.config.lr
            way_out = (f"with lr={lr}; try --lr {lr / 10:g}" if self.step
                       else "before any was taken: not the learning rate is to blame, but a setting or a function")
            raise Diverged(f"the {what} became {value} at step {self.step}, {way_out}")

    def state(self):
        """Everything but the weights that the next steps depend on, as {name: tensor}."""
        device = device_of(self.model)
        tensors = {f"{name}.{i}.{key}": torch.as_tensor(value)
                   for name, optimiser in self.optimisers.items()
                   for i, values in optimiser.state_dict()["state"].items() for key, value in values.items()}
        tensors |= {"step": torch.tensor(self.step), "generator.cpu": torch.get_rng_state()}
        if device.type == "cuda":
            tensors["generator.cuda"] = torch.cuda.get_rng_state(device)
        return tensors

    def load_state(self, tensors):
        """Go on where `state` was taken; the weights are loaded by the caller."""
        self.step = int(tensors["step"])
        for name, optimiser in self.optimisers.items():
            moments = {}
            for key, tensor in tensors.items():
                if key.startswith(f"{name}."):
                    _, i, kind = key.split(".")
                    moments.setdefault(int(i), {})[kind] = tensor.clone()
            optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
        torch.set_rng_state(tensors["generator.cpu"])
        if "generator.cuda" in tensors and device_of(self.model).type == "cuda":
            torch.cuda.set_rng_state(tensors["generator.cuda"], device_of(self.model))


def new_optimisers(model, config):
    """{name: optimiser}: adamw for all parameters, or muon for the matrices of the blocks and adamw for the rest."""
    muon = {name: p for name, p in model.named_parameters()
            if config.optimiser == "muon" and p.requires_grad and p.ndim == 2 and ".blocks." in f".{name}"}
    rest = [(name, p) for name, p in model.named_parameters() if name not in muon]
    found = {"adamw": AdamW(decay_groups(rest, config.weight_decay), lr=config.lr, beta1=config.beta1,
                            beta2=config.beta2, eps=config.eps)}
    if muon:
        found["muon"] = Muon(muon.values(), lr=config.muon_lr, weight_decay=config.weight_decay,
                             steps=len(POLAR_EXPRESS), polynomials=POLAR_EXPRESS)
    return found


def scheduled(lr, step, config):
    """The learning rate of a step, whose highest is lr, under the config's schedule."""
    times = {"steps": config.steps, "warmup": round(config.warmup * config.steps), "lr": lr}
    if config.schedule == "linear":
        return warmup_linear(step, **times)
    if config.schedule == "constant":
        return warmup_constant(step, **times)
    return warmup_cosine(step, min_lr=config.min_lr_ratio * lr, **times)


@contextmanager
def own_generators(model, seed):
    """Inside, PyTorch's generators start from a seed; outside, they are as if nothing had been drawn."""
    device = device_of(model)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
