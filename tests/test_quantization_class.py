"""A model whose layers are quantized in place: what changes, what stays, and by how much its answers move."""
import pytest
import torch

import minigpt
from minigpt.config import preset
from minigpt.linear import Linear
from minigpt.quantization import (
    KINDS,
    QuantizedLinear,
    dequantize,
    n_bytes,
    output_error_bound,
    quantize_model,
    quantized_linear,
)
from minigpt.transformer import Transformer

SIZE = {"vocab_size": 50, "context_length": 16, "n_layer": 2, "n_head": 2, "d_model": 64, "d_ff": 96}
IDS = torch.randint(50, (2, 9), generator=torch.Generator().manual_seed(0))


def new_model(name="llama", **changes):
    return Transformer(preset(name, **SIZE | changes), generator=torch.Generator().manual_seed(0)).eval()


def layers(model):
    return [m for m in model.modules() if isinstance(m, QuantizedLinear)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_linear_layer_is_quantized_and_the_rest_stays_as_it_was(kind):
    model, plain = new_model(), new_model()
    assert quantize_model(model, kind) is model
    assert not any(type(m) is Linear for m in model.modules())
    assert len(layers(model)) == 2 * 7 + 1                    # two blocks of seven, and the output layer
    kept = {name: p for name, p in plain.named_parameters() if "norm" in name or "embedding" in name}
    assert {name: p.tolist() for name, p in model.named_parameters()} == {n: p.tolist() for n, p in kept.items()}


def test_a_tied_output_layer_gets_8_bits_of_its_own_and_the_embedding_stays_float():
    model = quantize_model(new_model(), "int4")
    assert model.output.stored.dtype == torch.int8
    assert not model.output.is_packed
    assert torch.equal(model.token_embedding.weight, new_model().token_embedding.weight)


def test_an_encoder_has_no_output_layer_to_quantize():
    model = quantize_model(new_model("bert-nano"), "int8")
    assert not hasattr(model, "output")
    assert model.hidden(IDS).shape == (2, 9, 64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["llama", "gpt2-nano"])
def test_the_model_answers_as_with_the_weights_that_its_codes_stand_for(kind, name):
    model, rounded = quantize_model(new_model(name), kind), new_model(name, tied_embeddings=False)
    rounded.load_state_dict({n: p for n, p in new_model(name).state_dict().items()} | {
        f"{n}.weight": m.weight for n, m in model.named_modules() if isinstance(m, QuantizedLinear)})
    torch.testing.assert_close(model(IDS), rounded(IDS).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kind", "most"), [("int8", 0.02), ("int4", 0.2), ("int4-absmax", 0.25)])
def test_answers_move_a_little_and_less_with_more_bits(kind, most):
    plain = new_model()(IDS)
    moved = (quantize_model(new_model(), kind)(IDS) - plain).norm() / plain.norm()
    assert most / 20 < moved < most


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_keeps_to_its_bound(kind):
    x = torch.randn(7, 64, generator=torch.Generator().manual_seed(1))
    layer = Linear(64, 40, generator=torch.Generator().manual_seed(2))
    quantized = QuantizedLinear(layer, **KINDS[kind])
    bound = output_error_bound(x, quantized.scale, quantized.group)
    assert ((quantized(x) - layer(x)).abs() <= bound + 1e-6).all()


@pytest.mark.parametrize(("kind", "bits"), [("int8", 8 + 32 / 64), ("int4", 4 + 2 * 32 / 32), ("int4-absmax", 5)])
def test_codes_take_the_bits_that_they_say(kind, bits):
    layer = QuantizedLinear(Linear(64, 40, bias=False), **KINDS[kind])
    assert 8 * n_bytes(layer) == bits * 64 * 40


def test_float64_weights_are_quantized_in_float64():
    layer = QuantizedLinear(Linear(8, 4).double())
    assert layer(torch.zeros(2, 8, dtype=torch.float64)).dtype == torch.float64


def test_the_model_calls_your_quantized_linear_and_your_dequantize():
    model = quantize_model(new_model(), "int4")
    calls = []

    def mine(*args):
        calls.append("linear")
        return quantized_linear(*args)

    def my_dequantize(*args):
        calls.append("dequantize")
        return dequantize(*args)
    with minigpt.use(**minigpt.implementation("fused")), minigpt.use(quantized_linear=mine, dequantize=my_dequantize):
        model(IDS)
    assert calls == ["linear", "dequantize"] * 15


def test_a_quantized_model_is_not_trained():
    assert not any(p.requires_grad for p in quantize_model(new_model(), "int8").parameters())


def test_quantizing_twice_or_by_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="quantized already"):
        quantize_model(quantize_model(new_model(), "int8"), "int8")
    with pytest.raises(ValueError, match="kind='int7' is not one of int8, int4"):
        quantize_model(new_model(), "int7")
