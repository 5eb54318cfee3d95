"""The commands finetune and classify: from a CSV to answers, stopped and taken up again, moved, and refused."""
import json
import os
import pathlib
import re
import shlex

import pytest
import torch
from safetensors.torch import load_file
from test_train_encoder import SIZE
from tiny import FLAGS, make_home, refused

from minigpt.__main__ import main
from minigpt.classifier import Classifier
from minigpt.finetuned_runs import load_classifier
from minigpt.finetuning import Head, labelled_texts

ROWS = [f"{'the cow is good and kind' if i % 2 else 'the cow is bad and mean'} number {i},{'good' if i % 2 else 'bad'}"
        for i in range(60)]
CSV = "text,label\n" + "\n".join(ROWS) + "\n"
SHORT = ["--steps", "4", "--evaluate-every", "2", "--checkpoint-minutes", "0", "--longest", "12", "--no-baselines",
         "--batch-size", "8"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    make_home(tmp_path, monkeypatch)
    monkeypatch.setattr("minigpt.finetuned_runs.FinetunedRun.draw", lambda run, records: None)
    monkeypatch.setattr("minigpt.finetune_results._draw", lambda results, path: None)
    pathlib.Path("my.csv").write_text(CSV)
    return tmp_path


@pytest.fixture
def encoder(home):
    assert main(["train", "--text", "my.txt", "--objective", "mlm", "--out", "encoder", *SIZE]) == 0
    return "encoder"


def finetune(out, *more, start="encoder", method="head"):
    return main(["finetune", "--task", "my.csv", "--from", start, "--method", method, "--out", out, *SHORT, *more])


def learned(folder):
    return load_file(f"{folder}/model.safetensors")


def test_the_whole_way_from_a_csv_to_answers(encoder, capsys):
    assert finetune("out", method="full") == 0
    out = capsys.readouterr().out
    assert "48 texts to learn from" in out
    assert re.search(r"encoder, full +\d\.\d{3} +\d\.\d{3}", out)
    assert main(shlex.split(out.splitlines()[-1])[3:-1] + ["the cow is good"]) == 0
    shares = [float(x) for x in re.findall(r"(\d+\.\d)%", capsys.readouterr().out)]
    assert sum(shares) == pytest.approx(100, abs=0.2)


@pytest.mark.parametrize("method", ["head", "lora", "full"])
def test_what_is_kept_is_what_was_learned(encoder, method):
    assert finetune("out", method=method) == 0
    kept = set(learned("out")) - {"temperature"}
    if method == "full":
        assert len(kept) > 20
    else:
        assert all(re.search(r"lora_[ab]$|^head\.", name) for name in kept)
        assert any("lora" in name for name in kept) == (method == "lora")


def interrupting(kind):
    """labelled_texts of which Ctrl-C is pressed as soon as a model of this kind learns."""
    def objective_of(weights):
        objective = labelled_texts(weights)

        def interrupted(model, batch):
            if model.training and isinstance(model, kind):
                os.kill(os.getpid(), 2)
            return objective(model, batch)
        interrupted.unit = "texts"
        return interrupted

    return objective_of


@pytest.mark.parametrize("method", ["head", "lora", "full"])
def test_stopped_and_taken_up_again_gives_the_weights_of_not_stopping(encoder, capsys, monkeypatch, method):
    assert finetune("whole", method=method) == 0
    with monkeypatch.context() as patch:
        patch.setattr("minigpt.finetune_jobs.labelled_texts", interrupting(Head if method == "head" else Classifier))
        assert finetune("out", method=method) == 130
    assert main([*shlex.split(capsys.readouterr().out.splitlines()[-1])[3:], "--no-baselines"]) == 0
    whole, out = learned("whole"), learned("out")
    assert set(whole) == set(out)
    assert all(torch.equal(whole[name], out[name]) for name in whole)


def test_a_finished_run_says_what_came_out_and_trains_no_more(encoder, capsys):
    finetune("out")
    before = learned("out")
    capsys.readouterr()
    assert main(["finetune", "--resume", "--out", "out"]) == 0
    out = capsys.readouterr().out
    assert "done all of its 4 steps" in out
    assert "encoder, head" in out
    assert all(torch.equal(before[name], p) for name, p in learned("out").items())


@pytest.mark.slow
def test_the_simple_classifiers_stand_in_the_same_table(encoder, capsys):
    assert main(["finetune", "--task", "my.csv", "--from", encoder, "--out", "out", *SHORT[:-3]]) == 0
    rows = [row["name"] for row in json.loads(pathlib.Path("out/results.json").read_text())["table"]]
    assert rows == ["majority", "TF-IDF, naive Bayes", "TF-IDF, logistic regression", "TF-IDF, linear SVM",
                    "encoder, head"]
    assert all(name in capsys.readouterr().out for name in rows[:1])


@pytest.mark.parametrize(("method", "first"), [("full", 1.0), ("lora", 1.0), ("head", 0.5)])
def test_the_head_learns_before_the_rest(encoder, method, first):
    assert finetune("out", "--steps", "1", "--lr", "1e-9", method=method) == 0
    results = json.loads(pathlib.Path("out/results.json").read_text())
    assert results["table"][-1]["accuracy"] == first


def test_a_training_that_only_made_it_worse_says_that_its_beginning_was_best(encoder, capsys):
    assert finetune("out", "--lr", "10", method="full") == 0
    assert "best after step 0 of 4" in capsys.readouterr().out
    assert json.loads(pathlib.Path("out/results.json").read_text())["best_step"] == 0


def test_a_training_with_a_falling_rate_goes_to_its_end_unless_patience_is_asked_for(encoder):
    for more, steps in (((), 8), (("--patience", "2"), 4)):
        assert finetune("out", "--steps", "8", "--lr", "10", "--overwrite", *more, method="full") == 0
        assert json.loads(pathlib.Path("out/results.json").read_text())["steps"] == steps


def test_ctrl_c_while_the_head_learns_first_leaves_what_was_there(encoder, monkeypatch, capsys):
    assert finetune("out") == 0
    before = learned("out")
    with monkeypatch.context() as patch:
        patch.setattr("minigpt.finetune_jobs.labelled_texts", interrupting(Head))
        assert finetune("out", "--overwrite", method="full") == 130
    assert "Traceback" not in capsys.readouterr().err
    assert all(torch.equal(weight, before[name]) for name, weight in learned("out").items())


@pytest.mark.slow
def test_it_learns_what_a_word_decides(encoder):
    assert finetune("out", "--steps", "80", "--evaluate-every", "80", "--lr", "0.01",
                    "--patience", "0", method="full") == 0
    results = json.loads(pathlib.Path("out/results.json").read_text())
    assert results["table"][-1]["accuracy"] == 1.0


def test_scratch_is_a_start_as_well(home):
    assert finetune("out", start="scratch", method="full") == 0
    assert load_classifier("out")[2].start["name"] == "scratch"


def test_a_causal_model_is_a_start_as_well(home):
    assert main(["train", "--text", "my.txt", "--out", "gpt", *FLAGS]) == 0
    assert finetune("out", "--longest", "8", start="gpt", method="lora") == 0
    assert load_classifier("out")[2].how == "last"


def test_few_labels_leave_the_validation_labels_alone(encoder, capsys):
    assert finetune("out", "--per-class", "3") == 0
    out = capsys.readouterr().out
    assert "6 texts to learn from" in out
    assert "the validation labels were not used" in out


def test_a_file_of_texts_gets_a_line_for_each(encoder, capsys):
    finetune("out")
    pathlib.Path("texts.txt").write_text("good cow\n\nbad cow\n")
    capsys.readouterr()
    assert main(["classify", "--model", "out", "--file", "texts.txt"]) == 0
    lines = capsys.readouterr().out.split("\n")[:-1]
    assert [line.split("\t")[-1] for line in lines] == ["good cow", "", "bad cow"]
    assert lines[1] == "\t\t"


def test_a_classifier_is_loaded_with_its_labels_and_its_temperature_ready_to_be_used(encoder):
    finetune("out", method="lora")
    model, _, config, temperature = load_classifier("out")
    assert temperature > 0
    assert config.labels == ("bad", "good")
    assert not model.training


def test_what_it_began_from_may_be_moved_and_then_must_be_named(encoder, capsys):
    finetune("out")
    os.rename("encoder", "elsewhere")
    assert "if it was moved, say where it is with --from" in refused(["classify", "--model", "out", "a cow"], capsys)
    assert main(["classify", "--model", "out", "--from", "elsewhere", "a cow"]) == 0


def test_what_it_began_from_may_not_be_another(encoder, capsys):
    finetune("out")
    main(["train", "--text", "my.txt", "--objective", "mlm", "--out", "encoder", *SIZE, "--overwrite", "--seed", "7"])
    assert "is not what out began from" in refused(["classify", "--model", "out", "a cow"], capsys)


def test_bad_rows_are_named_and_skipped_or_refused(encoder, capsys):
    pathlib.Path("my.csv").write_text(CSV.replace(ROWS[3], "no label here,"))
    assert finetune("out") == 0
    assert "row 5" in capsys.readouterr().out
    assert "row 5" in refused(["finetune", "--task", "my.csv", "--from", encoder, "--out", "b", "--on-bad", "refuse"],
                              capsys)


@pytest.mark.parametrize(("arguments", "says"), [
    (["finetune"], "--task is missing"),
    (["finetune", "--task", "sentiment-movie"], "did you mean sentiment-movies"),
    (["finetune", "--task", "my.csv", "--from", "nowhere"], "--from nowhere is neither"),
    (["finetune", "--task", "my.csv", "--from", "scratch", "--method", "head"], "--from scratch has learned nothing"),
    (["finetune", "--task", "my.csv", "--per-class", "0"], "per_class=0"),
    (["finetune", "--task", "my.csv", "--longest", "2"], "--longest 2 leaves no room"),
    (["finetune", "--task", "my.csv", "--epochs", "0"], "--epochs 0.0 must be greater than 0"),
    (["finetune", "--task", "one.csv"], "at least two classes are needed"),
    (["finetune", "--resume", "--out", "nothing"], "nothing holds no run"),
    (["classify", "--model", "nothing", "a text"], "nothing holds no run"),
    (["classify", "--model", "nothing"], "there is no text to classify"),
    (["classify", "--model", "nothing", "a", "--file", "my.txt"], "leave one out"),
])
def test_bad_input_is_one_line(home, capsys, arguments, says):
    pathlib.Path("one.csv").write_text("text,label\na,x\nb,x\nc,x\nd,x\n")
    assert says in refused(arguments, capsys)


def test_a_damaged_folder_is_named(encoder, capsys):
    finetune("out")
    path = pathlib.Path("out/model.safetensors")
    path.write_bytes(path.read_bytes()[:-7])
    assert "model.safetensors is damaged or cut off" in refused(["classify", "--model", "out", "a cow"], capsys)


def test_another_setting_for_a_run_that_goes_on_is_refused(encoder, capsys):
    finetune("out")
    error = refused(["finetune", "--resume", "--out", "out", "--rank", "3"], capsys)
    assert "--rank 3 would change the run in out" in error
