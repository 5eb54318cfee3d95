"""A compiled objective takes the same steps, and says what is missing."""
import pytest
import torch
from tiny import IDS, T, new_model

import minigpt
from minigpt.compiled import compiled
from minigpt.config import TrainConfig
from minigpt.data.batches import TokenBatches
from minigpt.errors import InputError
from minigpt.evaluation import next_token
from minigpt.learner import Learner


def losses(objective, implementation):
    learner = Learner(new_model(), objective, TokenBatches(IDS, T, 4, seed=0), TrainConfig(steps=4, lr=1e-2))
    with minigpt.use(**minigpt.implementation(implementation)):
        return [learner.take_step()[0] for _ in range(4)]


@pytest.mark.slow
def test_compiled_steps_are_the_same_steps():
    assert losses(compiled(next_token), "fused") == pytest.approx(losses(next_token, "fused"), abs=1e-5)


@pytest.mark.parametrize("implementation", ["math", "fused"])
def test_the_graph_that_is_compiled_takes_the_same_steps(implementation):
    graph = compiled(next_token, backend="eager")
    assert losses(graph, implementation) == pytest.approx(losses(next_token, implementation), abs=1e-5)


def test_judging_is_not_compiled():
    model = new_model().eval()
    batch = torch.tensor(IDS[:T + 1])[None].long()
    assert compiled(next_token)(model, batch)[0].item() == next_token(model, batch)[0].item()


def test_without_a_compiler_there_is_one_line_with_the_way_out(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(InputError, match=r"needs a C\+\+ compiler.*leave --compile out"):
        compiled(next_token)
