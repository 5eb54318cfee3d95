"""LoRA in a model: put in place, merged, taken off, saved alone."""
import copy

import numpy as np
import pytest
import torch

import minigpt
from minigpt.config import TransformerConfig
from minigpt.linear import Linear
from minigpt.lora import LoRALinear, adapter, add_lora, lora, merge_lora
from minigpt.transformer import Transformer

CONFIG = TransformerConfig(vocab_size=11, context_length=8, n_layer=2, n_head=2, d_model=16)
IDS = torch.tensor(np.random.default_rng(0).integers(11, size=(2, 8)))


def model_with_lora(trained=False):
    model = add_lora(Transformer(CONFIG, generator=torch.Generator().manual_seed(0)), rank=2, alpha=4,
                     generator=torch.Generator().manual_seed(1))
    if trained:
        with torch.no_grad():
            for name, p in model.named_parameters():
                if name.endswith("lora_b"):
                    p.normal_(generator=torch.Generator().manual_seed(2))
    return model


def test_at_first_a_model_with_lora_says_what_it_said():
    plain = Transformer(CONFIG, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model_with_lora()(IDS), plain(IDS))


def test_only_the_narrow_parts_get_a_gradient():
    model = model_with_lora()
    model(IDS).sum().backward()
    learned = [name for name, p in model.named_parameters() if p.requires_grad]
    assert learned == [name for name, p in model.named_parameters() if p.grad is not None] == list(adapter(model))
    assert len(learned) == 2 * 2 * 2                   # two layers, query and value, a and b


def test_merging_changes_nothing_that_is_said_and_comes_off_again():
    model = model_with_lora(trained=True)
    before, weight = model(IDS), model.blocks[0].attention.query.weight.clone()
    merge_lora(model)
    torch.testing.assert_close(model(IDS), before, rtol=1e-4, atol=1e-5)
    assert not torch.equal(model.blocks[0].attention.query.weight, weight)
    merge_lora(model)                                  # twice is once
    merge_lora(model, False)
    torch.testing.assert_close(model.blocks[0].attention.query.weight, weight)


def test_the_adapter_alone_makes_another_copy_of_the_model_the_same():
    model, other = model_with_lora(trained=True), model_with_lora()
    other.load_state_dict(copy.deepcopy(adapter(model)), strict=False)
    torch.testing.assert_close(other(IDS), model(IDS))


def test_the_model_calls_your_lora():
    calls = []

    def mine(*args):
        calls.append(1)
        return lora(*args)
    with minigpt.use(lora=mine):
        model_with_lora()(IDS)
    assert len(calls) == 4


@pytest.mark.parametrize("rank", [0, 17])
def test_a_rank_that_makes_nothing_narrower_is_refused(rank):
    with pytest.raises(ValueError, match=f"rank={rank}"):
        LoRALinear(Linear(16, 32), rank)


def test_lora_twice_or_nowhere_is_refused():
    with pytest.raises(ValueError, match="already"):
        add_lora(model_with_lora())
    with pytest.raises(ValueError, match="no linear layer called gate"):
        add_lora(Transformer(CONFIG), layers=("gate",))
