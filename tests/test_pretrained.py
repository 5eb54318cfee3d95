"""Published weights in our Transformer: the same numbers as an independent implementation, stored in tests/fixtures."""
import functools
import json
import pathlib
import random

import numpy as np
import pytest
import tokenizers
import torch
from safetensors import safe_open

from minigpt import pretrained
from minigpt.data.fetch import Unavailable
from minigpt.errors import InputError
from minigpt.pretrained import minilm
from minigpt.reference.transformer import hidden_forward
from minigpt.sentence_embeddings import sentence_embeddings

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "minilm.safetensors"


@functools.cache
def fetched():
    return pretrained.load("minilm")


@pytest.fixture
def minilm_loaded(require_data):
    try:
        return fetched()
    except Unavailable as error:
        require_data(error)


@pytest.fixture(scope="module")
def expected():
    """[(text, ids, every eighth feature of the hidden states)], as another implementation has them."""
    with safe_open(FIXTURE, "pt") as file:
        texts = json.loads(file.metadata()["texts"])
        return [(text, file.get_tensor(f"{i}.ids"), file.get_tensor(f"{i}.hidden")) for i, text in enumerate(texts)]


@pytest.mark.download
def test_every_text_has_the_same_token_ids(minilm_loaded, expected):
    _, tokenizer = minilm_loaded
    assert len(expected) == 20
    for text, ids, _ in expected:
        assert tokenizer.pair(tokenizer.encode(text))[0] == ids.tolist()


@pytest.mark.download
def test_hidden_states_are_within_1e_5_of_the_other_implementation(minilm_loaded, expected):
    model, _ = minilm_loaded
    with torch.no_grad():
        errors = [(model.hidden(ids[None])[0, :, ::8] - hidden).abs().max().item() for _, ids, hidden in expected]
    assert max(errors) < 1e-5


@pytest.mark.download
def test_a_batch_with_padding_gives_the_same(minilm_loaded, expected):
    (model, _), chosen = minilm_loaded, expected[1:5]
    T = max(len(ids) for _, ids, _ in chosen)
    ids = torch.stack([torch.nn.functional.pad(ids, (0, T - len(ids))) for _, ids, _ in chosen])
    with torch.no_grad():
        h = model.hidden(ids, key_mask=torch.arange(T) < torch.tensor([[len(ids)] for _, ids, _ in chosen]))
    assert max((h[i, :len(ids), ::8] - hidden).abs().max().item() for i, (_, ids, hidden) in enumerate(chosen)) < 1e-5


@pytest.mark.download
def test_numpy_computes_the_same_as_pytorch_within_1e_5(minilm_loaded, expected):
    model, _ = minilm_loaded
    params = {name: p.numpy() for name, p in model.state_dict().items()}
    for _, ids, hidden in expected[:6]:
        h, _ = hidden_forward(ids[None].numpy(), params, model.config)
        with torch.no_grad():
            assert np.abs(h - model.hidden(ids[None]).numpy()).max() < 1e-5
        assert np.abs(h[0, :, ::8] - hidden.numpy()).max() < 1e-5


@pytest.mark.download
def test_on_the_real_vocabulary_the_library_agrees_on_ten_thousand_random_words(minilm_loaded):
    _, tokenizer = minilm_loaded
    judge = tokenizers.Tokenizer(tokenizers.models.WordPiece(dict(tokenizer._ids), unk_token="[UNK]"))
    judge.normalizer = tokenizers.normalizers.BertNormalizer()
    judge.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    rng = random.Random(0)
    parts = [piece.removeprefix("##") for piece in tokenizer.tokens[1000:]] + list("éÉçñ你好。!,.-_'’“ΣΩжЖ№½\t\u00ad")
    for _ in range(2500):
        text = " ".join("".join(rng.choices(parts, k=rng.randint(1, 3))).title() for _ in range(4))
        assert tokenizer.encode(text) == judge.encode(text).ids, text


@pytest.mark.download
def test_texts_that_mean_the_same_are_close(minilm_loaded):
    y = sentence_embeddings(*minilm_loaded, ["A man is playing a guitar.", "Someone plays an instrument.",
                                             "The stock market fell sharply today."])
    torch.testing.assert_close((y * y).sum(dim=1), torch.ones(3))
    cosine = y @ y.T
    assert cosine[0, 1] > 0.5 > 0.2 > cosine[0, 2]


@pytest.mark.download
def test_the_order_and_the_size_of_batches_change_nothing(minilm_loaded):
    texts = ["one", "a rather longer text than the others are", "two words", "", "the last of them"]
    together, done = sentence_embeddings(*minilm_loaded, texts), []
    alone = sentence_embeddings(*minilm_loaded, texts, batch_size=2, progress=done.append)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert done == [2, 4, 5]


@pytest.mark.download
def test_no_texts_have_no_vectors(minilm_loaded):
    assert sentence_embeddings(*minilm_loaded, []).shape == (0, 384)


def test_another_name_is_refused():
    with pytest.raises(InputError, match=r"no published weights 'minilmm'.*minilm"):
        pretrained.load("minilmm")


def test_a_tensor_that_has_no_place_is_refused():
    with pytest.raises(InputError, match=r"decoder\.weight"):
        minilm.renamed({"decoder.weight": torch.zeros(1)})


def test_what_the_published_file_holds_beside_is_left_out():
    assert minilm.renamed({"pooler.dense.weight": torch.zeros(1), "embeddings.position_ids": torch.zeros(1)}) == {}
