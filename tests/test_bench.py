"""The benchmarks measure what they say, and `bench` refuses what it does not know."""
import pytest

from minigpt.__main__ import main
from minigpt.benchmarks.implementations import measure
from minigpt.benchmarks.machine import matmul_peak, training_flops_per_token
from minigpt.config import TransformerConfig
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
