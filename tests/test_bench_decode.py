"""`bench decode` times what it says, and both libraries choose the same tokens."""
import pytest
import torch
from judges import needed

from minigpt.benchmarks.decode import PLAIN, agreement, in_transformers, measure, ours, run, theirs
from minigpt.benchmarks.machine import memory_bandwidth
from minigpt.config import preset
from minigpt.errors import InputError
from minigpt.inference import prepare
from minigpt.pretrained import load
from minigpt.transformer import Transformer

SIZE = {"vocab_size": 64, "context_length": 40, "n_layer": 2, "n_head": 4, "d_model": 64, "d_ff": 96}
IDS = torch.randint(64, (1, 9), generator=torch.Generator().manual_seed(0))


def new_model(**changes):
    model = Transformer(preset("llama", **SIZE | changes), generator=torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(8 if p.ndim == 2 else 1)            # as wide as trained ones: no ties
    return model


class Letters:
    """A tokenizer of 64 characters."""

    def encode(self, text):
        return [ord(character) % 64 for character in text]


def test_the_likeliest_token_is_that_of_the_whole_text_each_time():
    model, ids = new_model(), IDS
    for expected in ours(model)(IDS, 6):
        with torch.no_grad():
            assert model(ids)[0, -1].argmax() == expected
        ids = torch.cat([ids, torch.tensor([[expected]])], dim=1)


def test_a_writer_is_timed_by_its_tokens():
    seconds = iter([0.0, 2.0, 2.5, 3.5, 3.75] * 2)

    def write(ids, n, clock):
        for _ in range(n):
            clock()
        return list(range(n))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.perf_counter", lambda: next(seconds))
        speed = measure({"it": (write, 8)}, IDS, 3, rounds=1)["it"]
    assert speed == (1 / 0.5, 9 / 2.0, 8, [0, 1, 2, 3])


def test_every_form_is_measured_and_the_table_printed(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("minigpt.benchmarks.decode.memory_bandwidth", lambda: 1e10)
    speeds = run(rounds=1, n_tokens=2, model=(new_model(), Letters()), prompt="To be")
    assert list(speeds) == [PLAIN, "float32", "bf16", "int8", "int4"]
    assert speeds[PLAIN].tokens == speeds["float32"].tokens
    assert "memory is read at 10.0 GB/s" in capsys.readouterr().out


def test_the_memory_has_a_speed():
    assert memory_bandwidth(2**20, rounds=3) > 1e5


def test_texts_agree_up_to_the_first_token_that_differs():
    assert agreement([1, 2, 3], [1, 2, 4]) == 2
    assert agreement([1, 2], [1, 2]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
def test_the_transformers_library_computes_the_same_and_writes_the_same(tied):
    needed("transformers")
    model = new_model(tied_embeddings=tied)
    with torch.no_grad():
        torch.testing.assert_close(in_transformers(model)(IDS).logits, model(IDS), rtol=1e-4, atol=1e-4)
    times = []
    assert theirs(model)(IDS, 12, lambda: times.append(1)) == ours(model)(IDS, 12)
    assert len(times) == 12


@pytest.mark.slow
@pytest.mark.download
def test_float32_writes_what_the_transformers_library_writes(require_data):
    needed("transformers")
    try:
        model, tokenizer = load("smollm2")
    except InputError as error:
        require_data(error)
    ids = torch.tensor([tokenizer.encode("The capital of France is")])
    assert ours(prepare(model))(ids, 24) == ours(model)(ids, 24) == theirs(model)(ids, 24)
