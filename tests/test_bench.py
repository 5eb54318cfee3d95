"""The benchmarks measure what they say, and `bench` refuses what it does not know."""
import numpy as np
import pytest
import torch

from minigpt.__main__ import main
from minigpt.benchmarks.implementations import measure
from minigpt.benchmarks.machine import matmul_peak, training_flops_per_token
from minigpt.benchmarks.reference import numpy_steps, torch_steps
from minigpt.benchmarks.train import Curve, ratio, seconds_to
from minigpt.benchmarks.train import run as train_bench
from minigpt.config import TransformerConfig, preset
from minigpt.transformer import Transformer


def test_the_flops_of_a_token_are_those_of_its_matrix_products():
    config = TransformerConfig(vocab_size=50, context_length=8, n_layer=2, n_head=2, d_model=16, bias=False)
    C, F, V, T, L = 16, 64, 50, 8, 2
    products = L * (4 * C * C + 2 * C * F + 2 * T * C) + C * V   # multiplications of one token, forward
    norms = (2 * L + 1) * C                                     # weights of norms, counted as parameters
    counted = training_flops_per_token(config, Transformer(config).n_parameters)
    assert counted == 6 * (products + norms)                    # 2 operations each; backward is twice forward


def test_an_untied_output_layer_costs_the_same_as_a_tied_one():
    configs = [TransformerConfig(vocab_size=50, d_model=16, n_head=2, tied_embeddings=tied) for tied in (True, False)]
    tied, untied = (training_flops_per_token(config, Transformer(config).n_parameters) for config in configs)
    assert tied == untied


def test_rope_needs_no_products_for_positions():
    configs = [TransformerConfig(vocab_size=50, d_model=16, n_head=2, positions=kind) for kind in ("learned", "rope")]
    learned, rope = (training_flops_per_token(config, Transformer(config).n_parameters) for config in configs)
    assert learned == rope


def test_the_peak_of_a_matrix_product_is_a_speed():
    assert matmul_peak(size=64, rounds=5) > 1e6


def test_both_implementations_are_measured():
    seconds = measure("gpt2-nano", vocab_size=64, batch_size=1, rounds=1)
    assert set(seconds) == {"math", "fused"}
    assert min(seconds.values()) > 0


@pytest.mark.parametrize("arguments", [["tokeniser"], ["--rounds", "0"]])
def test_an_unknown_benchmark_or_no_rounds_is_one_line(arguments, capsys):
    assert main(["bench", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_bench_prints_a_table(capsys):
    assert main(["bench", "implementations", "--rounds", "1"]) == 0
    assert "ratio to math" in capsys.readouterr().out


def curve(name, seconds, losses):
    return Curve(name, 0, np.arange(len(seconds)), np.array(seconds), np.array(losses), 100, 10, 60)


def test_the_time_to_a_loss_lies_on_the_line_between_two_points():
    fast = curve("fast", [0.0, 10.0, 20.0, 30.0], [4.0, 3.0, 2.0, 1.5])
    assert seconds_to(fast, 2.25) == pytest.approx(17.5)
    assert seconds_to(fast, 4.0) == 0
    assert seconds_to(fast, 1.0) == np.inf


def test_the_ratio_is_that_of_the_times_to_where_the_plain_recipe_ends():
    plain = curve("plain", [0.0, 35.0, 70.0], [4.0, 3.0, 2.25])
    assert ratio(plain, curve("fast", [0.0, 10.0, 20.0], [4.0, 3.0, 2.0])) == pytest.approx(4.0)
    assert ratio(plain, curve("fast", [0.0, 10.0, 20.0], [4.0, 3.5, 3.0])) == 0


@pytest.mark.slow
def test_both_recipes_are_trained_on_the_same_text_and_their_curves_drawn(tmp_path, monkeypatch, capsys):
    text, held_out = (np.random.default_rng(0).integers(10, size=n).astype(np.int32) for n in (4000, 700))
    monkeypatch.setattr("minigpt.benchmarks.train.characters", lambda: (text, held_out, 10))
    ratios = train_bench(rounds=2, steps={"plain": 4, "fast": 3}, picture=tmp_path / "new" / "curves.png")
    assert len(ratios) == 2
    assert (tmp_path / "new" / "curves.png").read_bytes()[1:4] == b"PNG"
    assert capsys.readouterr().out.count("seed 1") == 2 * 3     # before its training, and in two tables


def test_numpy_and_pytorch_take_the_same_steps_in_the_benchmark(capsys):
    config = preset("gpt2-nano", vocab_size=20, d_model=16, n_head=2, n_layer=1)
    model = Transformer(config, generator=torch.Generator().manual_seed(0))
    ids = torch.randint(20, (2, 9), generator=torch.Generator().manual_seed(0))
    by_hand, by_autograd = numpy_steps(model, config, ids.numpy()), torch_steps(model, ids)
    losses = [(next(by_hand), next(by_autograd)) for _ in range(5)]
    assert losses[-1][0] < losses[0][0] - 0.005
    assert losses == [pytest.approx((b, b), abs=1e-5) for _, b in losses]
