"""`--compile`: one step of an objective as a graph, which PyTorch's compiler turns into C++ with fewer passes.

The doors of `minigpt.use` are Python that the compiler cannot see through. So the objective is first run once while
its tensor operations are written down; that graph is compiled. It holds what our own functions do. A function of
yours might leave PyTorch on its way (NumPy, .item()), which a graph would freeze into a constant: so not with --mine.
"""
import os
import shutil

import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

from minigpt.errors import InputError

COMPILERS = ("g++", "clang++", "c++", "cl")


def compiled(objective, backend="inductor"):
    """The same objective, compiled for each shape of batch while training; judging stays as it is.

    objective: (model, batch) -> (mean loss in nats, number of targets). The number must depend on the shape alone.
    backend: of torch.compile.
    Raises InputError if no C++ compiler is there.
    """
    if not any(shutil.which(name) for name in (os.environ.get("CXX") or "", *COMPILERS)):
        raise InputError(f"--compile needs a C++ compiler, and none of {', '.join(COMPILERS)} is there; install one "
                         "(on Debian: apt install g++), or leave --compile out")
    graphs = {}                                        # shape of a batch -> compiled graph, number of targets

    def run(model, batch):
        if not model.training:
            return objective(model, batch)
        if batch.shape not in graphs:
            graphs[batch.shape] = _compile(objective, model, batch, backend)
        graph, targets = graphs[batch.shape]
        return graph(list(model.parameters()), batch), targets

    return run


class _Objective(nn.Module):
    def __init__(self, objective, model):
        super().__init__()
        self.objective, self.model = objective, model

    def forward(self, batch):
        loss, self.targets = self.objective(self.model, batch)
        return loss


def _compile(objective, model, batch, backend):
    whole = _Objective(objective, model)
    names = [name for name, _ in whole.named_parameters()]

    def loss_of(params, batch):
        return torch.func.functional_call(whole, dict(zip(names, params, strict=True)), (batch,))

    graph = make_fx(loss_of)(list(model.parameters()), batch)
    return torch.compile(graph, backend=backend), whole.targets
