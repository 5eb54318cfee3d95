"""The contract of the exercise transformer.5: what is predicted is what our model has, counted tensor by tensor."""
import functools

import hypothesis
import hypothesis.strategies as st
import pytest
import torch

from minigpt.config import TransformerConfig
from minigpt.grading.predicted import assert_predicted
from minigpt.transformer import Transformer

PARTS = {"embedding": "embeddings", "attention": "attention", "feed_forward": "feed-forward", "norm": "norms",
         "output": "output"}


@functools.cache
def counted(V, T, C, F, L, tied):
    """{part: numbers} of the model that a configuration makes; of its tensors only the shapes are there."""
    config = TransformerConfig(vocab_size=V, context_length=T, n_layer=L, n_head=1, d_model=C, d_ff=F,
                               tied_embeddings=tied)
    with torch.device("meta"):
        model = Transformer(config)
    parts = dict.fromkeys(PARTS.values(), 0)
    for name, p in model.named_parameters():
        module = name.split(".")[2 if name.startswith("blocks") else 0]
        parts[PARTS[module if module in PARTS else module.rpartition("_")[2]]] += p.numel()
    assert sum(parts.values()) == model.n_parameters
    return parts


def asked(op, *sizes):
    return op.call("gpt_parameters", *sizes)


def test_a_worked_example(op):
    # 5 tokens and 3 positions of 2 numbers; one block: 4 layers of 2*2 + 2, up 2*4 + 4, down 4*2 + 2, 3 norms of 2 + 2
    assert_predicted(asked(op, 5, 3, 2, 4, 1, True),
                     {"embeddings": 16, "attention": 24, "feed-forward": 22, "norms": 12, "output": 0}, "the small GPT")


def test_gpt_2_has_124_million(op):
    gpt2 = 50_257, 1024, 768, 3072, 12, True
    assert_predicted(asked(op, *gpt2), counted(*gpt2), "GPT-2")
    assert sum(op.record(asked(op, *gpt2)).values()) == 124_439_808


@pytest.mark.parametrize("L", [1, 2, 7])
def test_blocks_count_as_often_as_they_occur(op, L):
    sizes = 11, 8, 6, 24, L, True
    assert_predicted(asked(op, *sizes), counted(*sizes), f"L = {L}")


@pytest.mark.parametrize("tied", [True, False])
def test_a_tied_output_layer_is_free_and_another_is_not(op, tied):
    sizes = 65, 16, 8, 32, 2, tied
    assert_predicted(asked(op, *sizes), counted(*sizes), f"tied = {tied}")


@pytest.mark.parametrize("F", [1, 5, 40])
def test_the_hidden_layer_may_have_any_width(op, F):
    sizes = 9, 4, 10, F, 2, True
    assert_predicted(asked(op, *sizes), counted(*sizes), f"F = {F}")


@hypothesis.given(V=st.integers(1, 300), T=st.integers(1, 99), C=st.integers(1, 40), F=st.integers(1, 90),
                  L=st.integers(1, 5), tied=st.booleans())
def test_any_sizes_agree_with_the_model(op, V, T, C, F, L, tied):
    assert_predicted(asked(op, V, T, C, F, L, tied), counted(V, T, C, F, L, tied),
                     f"V={V}, T={T}, C={C}, F={F}, L={L}, tied={tied}")
