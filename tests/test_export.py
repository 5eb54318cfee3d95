"""`export`: other people's programs load what we have trained, and compute the same."""
import dataclasses
import json

import pytest
import torch
from judges import needed
from strangers import IDS, stranger, write_gguf
from tiny import LETTERS, TEXT, make_run, refused

from minigpt import pretrained
from minigpt.__main__ import main
from minigpt.config import TrainConfig, preset
from minigpt.errors import InputError
from minigpt.generation import generate
from minigpt.pretrained.export import architecture, exported
from minigpt.runs import RunConfig, begin_run, load_run
from minigpt.tokenizer import BPETokenizer, CharTokenizer
from minigpt.transformer import Transformer

SMALL = {"context_length": 32, "n_layer": 2, "d_model": 32}
WHOLE = {"gpt2-nano": {"feed_forward": "gelu_tanh"}, "gpt2-micro": {"feed_forward": "gelu", "d_ff": 40, "n_head": 2},
         "llama": {"rope_theta": 300.0, "norm_eps": 0.01}, "llama, heads alone": {"n_kv_head": 4, "d_ff": 24},
         "llama, an output of its own": {"tied_embeddings": False},
         "gpt2-nano, an output of its own": {"tied_embeddings": False, "dropout": 0.1}}


def save_run(folder, tokenizer, name, **changes):
    """A run folder with weights as wide as trained ones."""
    config = preset(name.split(",")[0], **SMALL | {"vocab_size": tokenizer.vocab_size} | changes)
    model = Transformer(config, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(8) if p.ndim == 2 else p.uniform_(-1, 1, generator=torch.Generator().manual_seed(1))
    begin_run(folder, RunConfig(config, TrainConfig(steps=1), {"name": "x"}), tokenizer).save(0, model.state_dict(), {})
    return str(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
@torch.no_grad()
def test_the_transformers_library_loads_it_and_gives_the_same_logits_and_ids(tmp_path, name, capsys):
    transformers, out = needed("transformers"), str(tmp_path / "out")
    run = save_run(tmp_path / "run", BPETokenizer.train([TEXT], 290), name, **WHOLE[name])
    assert main(["export", "--model", run, "--out", out]) == 0
    assert out in capsys.readouterr().out
    model, tokenizer, _ = load_run(run)
    theirs, info = transformers.AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, output_loading_info=True)
    assert not any(info.values())
    assert abs(model(IDS) - theirs.eval()(IDS).logits).max() < 1e-4
    assert model(IDS).std() > 0.3                      # it has something to say
    text = "went to mow  12 naïve meadows 🤗\n"
    their_tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    assert their_tokenizer(text, add_special_tokens=False)["input_ids"] == tokenizer.encode(text)
    assert their_tokenizer.decode(tokenizer.encode(text)) == text
    assert their_tokenizer.eos_token_id == tokenizer.special_ids["<|endoftext|>"]


@pytest.mark.slow
def test_a_run_of_letters_that_was_trained_is_loaded_too(tmp_path, monkeypatch):
    transformers = needed("transformers")
    monkeypatch.setattr("minigpt.runs.Run.draw", lambda run, records: None)
    run = make_run(tmp_path)
    assert main(["export", "--model", str(run), "--out", str(tmp_path / "hf")]) == 0
    (model, tokenizer, _), theirs = load_run(run), transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    ids = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")("to mow", return_tensors="pt")["input_ids"]
    assert ids[0].tolist() == tokenizer.encode("to mow")
    with torch.no_grad():
        assert abs(model(ids) - theirs.eval()(ids).logits).max() < 1e-4


@torch.no_grad()
def test_what_was_exported_as_llama_comes_back_to_us_the_same(tmp_path):
    made = stranger()
    run = save_run(tmp_path / "run", made[1], "llama")
    out = str(tmp_path / "out")
    assert main(["export", "--model", run, "--out", out]) == 0
    assert main(["export", "--model", out, "--out", f"{out}-again"]) == 0
    for folder in (out, f"{out}-again"):
        model, tokenizer = pretrained.load(folder)
        assert torch.equal(model(IDS), load_run(run)[0](IDS))
        assert tokenizer._document() == made[1]._document()


@pytest.mark.parametrize(("name", "changes", "says"), [
    ("fast", {}, "it has query_key_norm=True, which Llama has not"),
    ("bert-nano", {}, "norm_position='post', causal=False, token_types=2, embedding_norm=True, which GPT-2 has not"),
    ("gpt2-nano", {"n_kv_head": 2}, "it has n_kv_head=2, which GPT-2 has not"),
    ("gpt2-nano", {"feed_forward": "relu_squared"}, "it has feed_forward='relu_squared', which GPT-2 has not"),
    ("llama", {"positions": "learned"}, "it has positions='learned', which Llama has not"),
    ("llama", {"bias": True}, "it has bias=True, which Llama has not"),
])
def test_a_model_that_is_neither_is_refused_with_the_reason(name, changes, says):
    with pytest.raises(InputError) as caught:
        architecture(preset(name, vocab_size=9, **changes))
    assert says in str(caught.value)


def test_every_field_of_a_config_is_either_written_or_looked_at():
    known = {"vocab_size", "context_length", "n_layer", "n_head", "n_kv_head", "d_model", "d_ff", "feed_forward",
             "norm", "norm_position", "positions", "rope_theta", "query_key_norm", "token_types", "embedding_norm",
             "causal", "tied_embeddings", "bias", "zero_init", "dropout", "norm_eps"}
    assert {field.name for field in dataclasses.fields(preset("llama", vocab_size=9))} == known


def test_the_command_refuses_in_one_line_and_writes_nothing(tmp_path, capsys):
    run = save_run(tmp_path / "run", CharTokenizer.train([LETTERS]), "fast")
    out = tmp_path / "out"
    assert refused(["export", "--model", run, "--out", str(out)], capsys).startswith(
        f"minigpt: error: --model {run} cannot be exported: it has query_key_norm=True, which Llama has not")
    assert refused(["export", "--model", run], capsys).endswith("--help shows all")
    assert "no such folder" in refused(["export", "--model", "none", "--out", str(out)], capsys)
    assert f"--out {run} is not empty" in refused(["export", "--model", run, "--out", run], capsys)
    assert not out.exists()


def test_a_full_disk_leaves_nothing(tmp_path, capsys, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device", str(path))
    run = save_run(tmp_path / "run", CharTokenizer.train([LETTERS]), "llama")
    monkeypatch.setattr("minigpt.checkpoints.write_durably", full)
    assert "No space left on device" in refused(["export", "--model", run, "--out", str(tmp_path / "out")], capsys)
    assert not any((tmp_path / "out").iterdir())


def test_no_tensor_is_written_twice_and_nothing_is_executable():
    files = exported(*stranger())
    assert sorted(files) == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert json.loads(files["config.json"])["architectures"] == ["LlamaForCausalLM"]
    model = stranger()[0]
    assert len(files["model.safetensors"]) < 4 * model.n_parameters + 8000


def test_commands_that_write_take_a_folder_or_a_gguf_file_of_others(tmp_path, capsys):
    made = stranger()
    for name, data in exported(*made).items():
        (tmp_path / name).write_bytes(data)
    write_gguf(tmp_path / "x.gguf", *made)
    for path in (tmp_path, tmp_path / "x.gguf"):
        capsys.readouterr()
        assert main(["generate", "--model", str(path), "--prompt", "to mow", "--temperature", "0", "--max-new-tokens",
                     "5", "--device", "cpu"]) == 0
        written = generate(made[0], made[1].encode("to mow"), max_new_tokens=5, temperature=0, context_length=64)
        assert capsys.readouterr().out == f"to mow{made[1].decode(written)}\n"
