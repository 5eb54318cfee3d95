"""A prepared model is the same model: same interface, same answers within what its form of weights rounds."""
import pytest
import torch

import minigpt
from minigpt import packed as packed_module
from minigpt.__main__ import main
from minigpt.config import TrainConfig, preset
from minigpt.errors import InputError
from minigpt.inference import bytes_per_token, prepare
from minigpt.kv_cache import KVCache
from minigpt.linear import Linear, linear
from minigpt.packed import FORMS, PackedLinear, forms_of, packed
from minigpt.quantization import KINDS, QuantizedLinear, quantize_model
from minigpt.tokenizer import CharTokenizer
from minigpt.transformer import Transformer

SIZE = {"vocab_size": 64, "context_length": 24, "n_layer": 2, "n_head": 4, "d_model": 64, "d_ff": 96}
IDS = torch.randint(64, (2, 9), generator=torch.Generator().manual_seed(0))
# bfloat16 keeps 8 bits: 4e-3 for each product, and these are two blocks of products
APART = {"float32": 1e-5, "bf16": 2e-2, "int8": 2e-2, "int4": 2e-2}


def new_model(name="llama", **changes):
    return Transformer(preset(name, **SIZE | changes), generator=torch.Generator().manual_seed(0)).eval()


def readable(kind, name="llama"):
    return quantize_model(new_model(name), kind) if kind in KINDS else new_model(name)


def apart(y, expected):
    return ((y - expected).abs().max() / expected.abs().max()).item()


def quick_layers(model):
    return [m for m in model.modules() if isinstance(m, PackedLinear)]


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("name", ["llama", "gpt2-nano"])
@torch.no_grad()
def test_a_prepared_model_answers_as_the_readable_one(kind, name):
    quick = prepare(new_model(name), kind)
    for functions in ({}, minigpt.implementation("fused")):
        with minigpt.use(**functions):
            assert apart(quick(IDS), readable(kind, name)(IDS)) < APART[kind]


@pytest.mark.parametrize("kind", FORMS)
@torch.no_grad()
def test_with_a_cache_it_reads_on_as_without(kind):
    quick = prepare(new_model(), kind)
    cache = KVCache(quick.config)
    with minigpt.use(**minigpt.implementation("fused")):
        pieces = [quick(IDS[:, at:end], cache=cache) for at, end in ((0, 5), (5, 6), (6, 7), (7, 9))]
        assert apart(torch.cat(pieces, dim=1), quick(IDS)) < APART[kind]


@pytest.mark.parametrize("kind", FORMS)
def test_every_layer_is_packed_on_this_machine(kind):
    quick = prepare(new_model(), kind)
    forms = [layer.form for layer in quick_layers(quick)]
    assert forms == [kind] * 14 + ["int8" if kind == "int4" else kind]


@pytest.mark.parametrize("kind", FORMS)
def test_the_given_model_stays_as_it_was_and_shares_its_embedding(kind):
    model = new_model()
    before = {name: p.clone() for name, p in model.state_dict().items()}
    quick = prepare(model, kind)
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
    assert not any(isinstance(m, PackedLinear | QuantizedLinear) for m in model.modules())
    assert quick.token_embedding.weight is model.token_embedding.weight


@pytest.mark.parametrize("kind", FORMS)
@torch.no_grad()
def test_your_linear_is_called_in_a_prepared_model(kind):
    name = "quantized_linear" if kind in KINDS else "linear"
    calls, original = [], minigpt.swap.original(name)

    def mine(*args):
        calls.append(1)
        return original(*args)
    with minigpt.use(**minigpt.implementation("fused")), minigpt.use(**{name: mine}):
        y = prepare(new_model(), kind)(IDS)
    assert len(calls) == 15
    assert apart(y, readable(kind)(IDS)) < 1e-5


@pytest.mark.parametrize("kind", FORMS)
@torch.no_grad()
def test_without_the_operators_a_model_keeps_its_readable_layers(kind, monkeypatch):
    def missing(*args):
        raise AttributeError("no such operator")
    monkeypatch.setattr(packed_module, "_OPERATORS", {form: (missing, missing) for form in FORMS})
    quick = prepare(new_model(), kind)
    assert quick_layers(quick) == []
    assert apart(quick(IDS), readable(kind)(IDS)) == 0


@torch.no_grad()
def test_an_operator_that_answers_something_else_is_not_used(monkeypatch):
    pack, multiply = packed_module._OPERATORS["int8"]
    monkeypatch.setitem(packed_module._OPERATORS, "int8", (pack, lambda *args: 1.1 * multiply(*args)))
    layer, tried = QuantizedLinear(Linear(64, 32)), {}
    assert packed(layer, "int8", tried) is layer
    assert tried == {("int8", 32, 64): False}


@pytest.mark.parametrize(("kind", "bits"), [("float32", 32), ("bf16", 16), ("int8", 8), ("int4", 5)])
def test_the_bytes_of_a_token_are_those_of_its_weights(kind, bits):
    model = new_model()
    matrices = sum(m.weight.numel() for m in model.modules() if type(m) is Linear)
    rows = sum(len(m.weight) for m in model.modules() if type(m) is Linear) * (kind == "int8")
    output = {"int4": 64 * 64 + 2 * 64, "int8": 64 * 64 + 2 * 64}.get(kind, 64 * 64 * bits // 8)
    norms = 5 * 64 * 4
    assert bytes_per_token(prepare(model, kind)) == matrices * bits // 8 + 2 * rows + output + norms
    assert bytes_per_token(model) == 4 * model.n_parameters


def test_a_layer_without_such_a_form_is_refused_or_left_as_it_is():
    odd = QuantizedLinear(Linear(40, 32), bits=4, group=20, how="minmax")
    assert forms_of(odd) == ()
    assert packed(odd, "int4", {}) is odd
    with pytest.raises(ValueError, match="form='int8' is not one of"):
        PackedLinear(Linear(4, 4), "int8")


@pytest.mark.parametrize("shape", [(64,), (0, 64), (2, 3, 64)])
@torch.no_grad()
def test_a_packed_layer_takes_rows_of_any_shape(shape):
    layer = Linear(64, 32)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(PackedLinear(layer, "float32")(x), linear(x, layer.weight, layer.bias), rtol=1e-4,
                               atol=1e-5)


def test_an_unknown_kind_is_one_line():
    with pytest.raises(InputError, match="no form of weights 'int5'"):
        prepare(new_model(), "int5")


@pytest.mark.parametrize("kind", ["bf16", "int8", "int4"])
def test_generate_writes_with_weights_of_fewer_bits(kind, tmp_path, capsys, monkeypatch):
    asked, tokenizer = [], CharTokenizer.train(["To be or not"])
    monkeypatch.setattr("minigpt.runs.load_run", lambda folder, device: (
        new_model(vocab_size=tokenizer.vocab_size), tokenizer, TrainConfig(steps=1)))
    monkeypatch.setattr("minigpt.inference.prepare", lambda model, kind: asked.append(kind) or prepare(model, kind))
    assert main(["generate", "--quantize", kind, "--prompt", "To be", "--max-new-tokens", "5", "--seed", "1",
                 "--device", "cpu"]) == 0
    assert asked == [kind]
    assert capsys.readouterr().out.startswith("To be")


def test_generate_refuses_weights_of_a_form_that_is_not_there(capsys):
    assert main(["generate", "--quantize", "int5"]) == 2
    said = capsys.readouterr().err
    assert "int8" in said
    assert said.count("\n") == 1
