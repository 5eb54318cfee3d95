"""Records go to TensorBoard or to Weights & Biases, if those are there; both are stood in for here."""
import dataclasses
import sys
import types

import pytest
from tiny import record

from minigpt.errors import InputError
from minigpt.logs import LOGS, logger


@dataclasses.dataclass
class Config:
    lr: float = 0.5


class Writer:
    """What torch.utils.tensorboard.SummaryWriter is asked to do."""

    def __init__(self, folder):
        self.folder, self.texts, self.scalars, self.flushed = folder, [], [], 0
        Writer.last = self

    def add_text(self, *args):
        self.texts.append(args)

    def add_scalar(self, *args):
        self.scalars.append(args)

    def flush(self):
        self.flushed += 1


def test_tensorboard_gets_every_number_of_a_record_at_its_step(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    write = logger("tensorboard", tmp_path, Config())
    write(record(7))
    assert Writer.last.folder == str(tmp_path)
    assert "0.5" in Writer.last.texts[0][1]
    assert Writer.last.scalars == [("seconds", 0.5, 7), ("train_loss", 2.0, 7), ("tokens_per_second", 9.0, 7)]
    assert Writer.last.flushed == 1


def test_wandb_gets_the_config_and_every_number_of_a_record_at_its_step(tmp_path, monkeypatch):
    seen = []

    def init(**options):
        seen.append(options)
        return types.SimpleNamespace(log=lambda numbers, step: seen.append((numbers, step)))

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    logger("wandb", tmp_path, Config())(record(7))
    assert (seen[0]["config"], seen[0]["dir"]) == ({"lr": 0.5}, str(tmp_path))
    assert seen[1] == ({"seconds": 0.5, "train_loss": 2.0, "tokens_per_second": 9.0}, 7)


@pytest.mark.parametrize("name", LOGS)
def test_an_absent_package_is_named_with_the_way_out(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, {"wandb": "wandb", "tensorboard": "torch.utils.tensorboard"}[name], None)
    with pytest.raises(InputError, match=f"needs the package {name}; pip install {name}"):
        logger(name, tmp_path, Config())


def test_no_name_is_no_logger(tmp_path):
    assert logger(None, tmp_path, Config()) is None
