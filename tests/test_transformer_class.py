"""The class Transformer: how it starts, what it counts, when it drops."""
import numpy as np
import torch
from test_transformer import IDS, small

from minigpt.__main__ import main
from minigpt.config import TransformerConfig
from minigpt.transformer import Transformer


def test_a_fresh_model_is_no_better_than_a_uniform_guess():
    model = Transformer(TransformerConfig(vocab_size=50), generator=torch.Generator().manual_seed(0))
    ids = torch.arange(40)[None]
    loss = torch.nn.functional.cross_entropy(model(ids)[0, :-1], ids[0, 1:]).item()
    assert abs(loss - np.log(50)) < 0.1


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (Transformer(small(), generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.token_embedding.weight, other.token_embedding.weight)


def test_with_zero_init_a_fresh_model_guesses_uniformly_and_its_blocks_add_nothing():
    config = small(zero_init=True, tied_embeddings=False)
    model = Transformer(config, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(torch.tensor(IDS)), torch.zeros(2, 5, 7))
    x = torch.randn(1, 3, 4)
    assert torch.equal(model.blocks[1](x), x)
    assert model.blocks[0].attention.query.weight.abs().min() > 0


def test_a_tied_embedding_is_counted_once():
    tied, untied = Transformer(small()), Transformer(small(tied_embeddings=False))
    assert untied.n_parameters - tied.n_parameters == 7 * 4


def test_dropout_acts_while_training_only():
    model = Transformer(small(dropout=0.5))
    ids = torch.tensor(IDS)
    assert not torch.equal(model(ids), model(ids))
    model.eval()
    assert torch.equal(model(ids), model(ids))


def test_an_encoder_is_not_trained_to_predict_what_it_sees(tmp_path, capsys):
    assert main(["train", "--preset", "bert-nano", "--steps", "1", "--out", str(tmp_path / "run")]) == 2
    assert "reads both ways" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
