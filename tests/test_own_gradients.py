"""The gradients of one's own functions are checked before the training: right ones pass, wrong ones are named."""
import importlib
import pathlib

import numpy as np
import pytest
import torch
from tiny import FLAGS, IDS, T, make_home, refused

from minigpt import swap
from minigpt.__main__ import main
from minigpt.bridge import from_numpy
from minigpt.config import TransformerConfig, preset
from minigpt.data.batches import TokenBatches
from minigpt.errors import InputError
from minigpt.evaluation import next_token
from minigpt.gelu import gelu_tanh
from minigpt.grading.contract import mistakes
from minigpt.own_gradients import remarks
from minigpt.reference import layer_norm
from minigpt.reference.softmax import softmax_backward, softmax_forward
from minigpt.softmax import softmax
from minigpt.transformer import Transformer

BATCH = TokenBatches(IDS, T, 4, 0)(0)[0]
SIZE = {"vocab_size": 12, "context_length": T, "n_layer": 1, "n_head": 2, "d_model": 16}
CHECKED = "checked against finite differences: the gradient of "


def told(config=None, **functions):
    """What is said about functions in the model of a config."""
    config = config or TransformerConfig(**SIZE)
    model = Transformer(config, generator=torch.Generator().manual_seed(0))
    return remarks(functions, model, next_token, BATCH)


def numpy_pairs():
    """The reference's pair for each function that has one, as a student's."""
    found = {}
    for name in swap.known_names():
        module = importlib.import_module(swap.original(name).__module__.replace("minigpt.", "minigpt.reference."))
        if hasattr(module, f"{name}_backward") and name != "dropout":           # which needs a generator in NumPy
            found[name] = from_numpy(*(getattr(module, f"{name}_{half}") for half in ("forward", "backward")))
    return found


@pytest.mark.parametrize("name", ["gpt2-nano", "llama", "fast"])
def test_all_of_ours_in_numpy_are_found_right(name):
    said = told(preset(name, **SIZE), **numpy_pairs())
    assert len(said) == 1
    assert {"attention", "causal_lm", "embedding", "linear"} <= set(said[0].removeprefix(CHECKED).split(", "))


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_all_of_ours_in_torch_are_found_right_with_dropout_and_without(dropout):
    said = told(TransformerConfig(**SIZE, dropout=dropout), **{n: swap.original(n) for n in swap.known_names()})
    assert len(said) == 1
    assert "dropout" in said[0] or dropout == 0


@pytest.mark.parametrize("concept", ["attention", "cross_entropy", "layer_norm", "linear", "softmax", "embedding"])
def test_wrong_gradients_that_students_write_are_refused(concept):
    right = importlib.import_module(f"minigpt.reference.{concept}")
    for m in mistakes(concept):
        forward, backward = (m.op.functions[f"{concept}_{half}"] for half in ("forward", "backward"))
        if forward is getattr(right, f"{concept}_forward") and not m.name.startswith(UNSEEN):
            with pytest.raises((InputError, ValueError), match=r"the gradient of \w+ for its input \w+ is wrong|shape"):
                told(**{concept: from_numpy(forward, backward)})


# what this model does not do: share key heads, drop attention weights, leave targets out, go back twice, read a text
# of several tiles, or one in which a query sees nothing
UNSEEN = ("only_the_last_head", "mean_over_a_group", "dropout_", "divided_by_all", "ignored_rows",
          "writes_into_the_cache", "dq_of_the_last_tile", "dk_and_dv_of_the_last_tile", "no_key_is_nan")


def test_the_line_names_the_input_the_place_and_both_numbers():
    def backward(dy, cache):
        dx, dweight, dbias = layer_norm.layer_norm_backward(dy, cache)
        dweight = dweight.copy()
        dweight[3] = 0
        return dx, dweight, dbias
    with pytest.raises(InputError) as error:
        told(layer_norm=from_numpy(layer_norm.layer_norm_forward, backward))
    line = str(error.value)
    assert "the gradient of layer_norm for its input weight is wrong: at weight[3] expected " in line
    assert float(line.split("expected ")[1].split()[0]) != 0
    assert " (by finite differences), got 0; mend it, or train with it as it is: --no-check" in line


def test_a_mistake_that_weights_of_one_hide_is_seen():
    def backward(dy, cache):
        return layer_norm.layer_norm_backward(dy, cache._replace(weight=np.ones_like(cache.weight)))
    with pytest.raises(InputError, match="for its input x is wrong"):
        told(layer_norm=from_numpy(layer_norm.layer_norm_forward, backward))


@pytest.mark.parametrize("wrong", [
    lambda x: softmax(x).detach(),
    lambda x: softmax(x.data) + 0 * x.nan_to_num(neginf=0),
    lambda x: Straight.apply(softmax(x)),
])
def test_a_torch_function_that_loses_its_way_back_is_refused(wrong):
    with pytest.raises(InputError, match="the gradient of softmax for its input x is wrong"):
        told(softmax=wrong)


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y):
        return y.clone()

    @staticmethod
    def backward(ctx, dy):
        return 3 * dy


@pytest.mark.parametrize("right", [
    lambda x: torch.where(x > 0, x, 0),                                # a kink at 0
    lambda x: x.abs() + x.clamp(-0.01, 0.01),
    lambda x: gelu_tanh(x.float()).to(x.dtype),                        # float32 inside
    lambda x: x @ torch.eye(x.shape[-1]),                              # float32 only
    lambda x: 0 * x,
])
def test_kinks_and_float32_are_no_false_alarm(right):
    assert told(gelu_tanh=right)[0] == CHECKED + "gelu_tanh"


def test_a_kink_that_the_model_stands_on_is_no_false_alarm():
    # zero_init: what goes into the norms is often exactly 0
    config = preset("fast", **SIZE, feed_forward="relu_squared")
    assert told(config, relu_squared=lambda x: torch.relu(x))[0] == CHECKED + "relu_squared"


def test_values_that_differ_from_ours_are_said_and_not_refused():
    said = told(gelu_tanh=torch.relu)
    assert said[0] == CHECKED + "gelu_tanh"
    assert said[1].startswith("gelu_tanh: its values differ from those of ours by up to ")
    assert len(said) == 2


def test_a_function_that_draws_as_it_likes_is_said_to_be_that():
    rng = np.random.default_rng(0)
    said = told(gelu_tanh=lambda x: x * float(rng.random()))
    assert said == ["gelu_tanh gives another answer each time: its gradient cannot be checked"]


def test_what_everybody_draws_from_is_left_as_it_was():
    model = Transformer(TransformerConfig(**SIZE))
    expected = torch.get_rng_state(), np.random.get_state()[1].copy()
    remarks({"softmax": from_numpy(softmax_forward, softmax_backward)}, model, next_token, BATCH)
    assert torch.equal(torch.get_rng_state(), expected[0])
    assert (np.random.get_state()[1] == expected[1]).all()


WRONG = ("from minigpt.reference.softmax import softmax_forward as f, softmax_backward as b\n"
         "def softmax_forward(x):\n    return f(x)\n"
         "def softmax_backward(dy, cache):\n    return 2 * b(dy, cache)\n")


def test_the_command_refuses_a_wrong_gradient_before_it_begins_and_no_check_skips_that(tmp_path, monkeypatch, capsys):
    make_home(tmp_path, monkeypatch)
    pathlib.Path("mine.py").write_text(WRONG)
    arguments = ["train", "--text", "my.txt", "--out", "out", *FLAGS, "--mine", "mine.py", "--no-compare"]
    line = refused(arguments, capsys)
    assert line.startswith("minigpt: error: --mine ")
    assert "the gradient of softmax for its input x is wrong" in line
    assert not pathlib.Path("out").exists()
    assert main([*arguments, "--no-check"]) == 0
    assert "finite differences" not in capsys.readouterr().out
