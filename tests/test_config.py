"""The configurations refuse what does not fit together, and say the way out."""
import pytest
import torch

from minigpt.config import PRESETS, TrainConfig, TransformerConfig, from_dict, preset, recipe, to_dict
from minigpt.learner import new_optimisers
from minigpt.transformer import Transformer

WRONG = {
    "d_model=130 is not divisible by n_head=4; try d_model=132": {"d_model": 130},
    "n_head=4 is not divisible by n_kv_head=3; try n_kv_head=1": {"n_kv_head": 3},
    "n_head=4 is not divisible by n_kv_head=8; try n_kv_head=4": {"n_kv_head": 8},
    "a head's width must be even, not 12/4=3": {"d_model": 12, "positions": "rope"},
    "norm='batch_norm' is not one of layer_norm, rms_norm": {"norm": "batch_norm"},
    "norm_position='middle' is not one of pre, post": {"norm_position": "middle"},
    "positions='sine' is not one of learned, rope": {"positions": "sine"},
    "feed_forward='relu' is not one of gelu": {"feed_forward": "relu"},
    "rope_theta=0 must be greater than 0; try 10000": {"rope_theta": 0},
    "norm_eps=-1 must be greater than 0; try 1e-05": {"norm_eps": -1},
    "n_kv_head=0 must be a whole number greater than 0": {"n_kv_head": 0},
}


@pytest.mark.parametrize("says", list(WRONG))
def test_a_model_that_does_not_fit_together_is_refused_with_the_way_out(says):
    with pytest.raises(ValueError) as error:
        TransformerConfig(vocab_size=10, **WRONG[says])
    assert says in str(error.value)


@pytest.mark.parametrize(("changes", "says"), [
    ({"optimiser": "sgd"}, "optimiser='sgd' is not one of adamw, muon"),
    ({"schedule": "steps"}, "schedule='steps' is not one of cosine, linear, constant"),
    ({"muon_lr": 0.0}, "muon_lr=0.0 must be greater than 0"),
])
def test_a_training_that_makes_no_sense_is_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        TrainConfig(**changes)


def test_the_hidden_width_of_swiglu_keeps_the_number_of_parameters():
    gelu, swiglu = (TransformerConfig(vocab_size=10, d_model=192, feed_forward=kind) for kind in ("gelu", "swiglu"))
    assert 2 * gelu.d_ff == 3 * swiglu.d_ff                    # two matrices of one, three of the other


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_is_whole_and_comes_back_from_plain_values(name):
    config, settings = preset(name, vocab_size=10), recipe(name, steps=5)
    assert from_dict(TransformerConfig, to_dict(config)) == config
    assert from_dict(TrainConfig, to_dict(settings)) == settings


@pytest.mark.parametrize("make", [preset, recipe])
def test_an_unknown_preset_is_refused_with_the_known_ones(make):
    with pytest.raises(ValueError, match="'llama3' is not one of gpt2-nano"):
        make("llama3")


def test_llama_shares_key_heads_and_fast_is_no_larger_than_gpt2_of_its_size():
    small = {"vocab_size": 80, "context_length": 64}
    llama, fast = (Transformer(preset(name, **small)) for name in ("llama", "fast"))
    assert llama.blocks[0].attention.key.weight.shape == (64, 128)
    assert fast.n_parameters <= Transformer(preset("gpt2-nano", bias=False, **small)).n_parameters


def test_muon_gets_the_matrices_of_the_blocks_and_adamw_all_the_rest():
    model = Transformer(preset("fast", vocab_size=10, tied_embeddings=False))
    optimisers = new_optimisers(model, recipe("fast", steps=5))
    names = {id(p): name for name, p in model.named_parameters()}
    given = {kind: {names[id(p)] for group in optimiser.param_groups for p in group["params"]}
             for kind, optimiser in optimisers.items()}
    assert given["adamw"] | given["muon"] == set(names.values())
    assert {name for name in given["adamw"] if "norm" not in name} == {"token_embedding.weight", "output.weight"}
    assert len(given["muon"]) == 4 * 7
    assert not given["adamw"] & given["muon"]
    assert set(new_optimisers(model, TrainConfig(steps=5))) == {"adamw"}


def test_a_wrapped_model_s_blocks_are_found_too():
    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = Transformer(preset("fast", vocab_size=10))

    assert len(new_optimisers(Wrapped(), recipe("fast", steps=5))["muon"].param_groups[0]["params"]) == 4 * 7
