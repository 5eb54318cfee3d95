"""Classifying with a model that writes, and labels of one's own."""
import pytest
import torch
from tiny import make_run

from minigpt.__main__ import main
from minigpt.data.fetch import Unavailable
from minigpt.pretrained import load
from minigpt.runs import load_run
from minigpt.zero_shot import label_nats, label_probabilities, prompt


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return str(make_run(tmp_path_factory.mktemp("run")))


def test_the_nats_of_labels_are_those_of_the_whole_sequence_read_at_once(finished):
    model, _, _ = load_run(finished)
    ids, spelled = [1, 5, 2], [[3], [4, 6, 1], [7, 2]]
    found = label_nats(model, ids, spelled)
    for label, nats in zip(spelled, found.tolist(), strict=True):
        with torch.no_grad():
            rows = torch.log_softmax(model(torch.tensor([ids + label]))[0].double(), dim=-1)
        assert nats == pytest.approx(sum(float(rows[len(ids) - 1 + t, i]) for t, i in enumerate(label)), abs=1e-5)


@pytest.mark.parametrize(("flags", "says"), [
    (["--labels", "a"], "must name two or more"), (["--labels", "a,,b"], "must name two or more"),
    (["--labels", "a,a"], "all different"), (["--labels", "a,b"], "context_length=8")], ids=str)
def test_labels_that_make_no_sense_and_a_text_too_long_are_refused(finished, flags, says, capsys):
    assert main(["classify", "--model", finished, *flags, "went to mow a meadow"]) == 2
    assert says in capsys.readouterr().err


def test_published_weights_without_labels_are_told_to_name_them(capsys):
    assert main(["classify", "--model", "smollm2", "a text"]) == 2
    assert "--labels positive,negative" in capsys.readouterr().err


@pytest.mark.download
@pytest.mark.slow
def test_smollm2_tells_praise_from_blame_whatever_the_order_of_the_labels(require_data):
    try:
        model, tokenizer = load("smollm2")
    except Unavailable as error:
        require_data(error)
    texts = ["What a wonderful film!", "I hated every minute of it."]
    p = label_probabilities(model, tokenizer, texts, ["positive", "negative"])
    assert p.argmax(dim=1).tolist() == [0, 1]
    assert torch.allclose(p.flip(1), label_probabilities(model, tokenizer, texts, ["negative", "positive"]), atol=1e-4)
    assert tokenizer.decode(prompt(tokenizer, "x")) == "Text: x\nLabel:"
