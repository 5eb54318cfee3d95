"""The second half of the demo: an encoder, pre-trained on docstrings, against one that begins from nothing."""
import contextlib
import copy
import pathlib
import shlex
from collections import Counter, namedtuple

from minigpt.errors import InputError

CORPUS, TASK = "python-docs-apart", "docstrings"
STEPS = 2500                        # of pre-training
SIZE = {"n_layer": 2, "d_model": 64, "context_length": 64, "query_key_norm": False, "causal": False}
PER_CLASS = (2, 4, 8, 16, 32, 64)   # labelled examples of each class
TEACHING = {"lr": 3e-3, "batch_size": 32, "schedule": "linear", "warmup": 0.1, "beta2": 0.999, "weight_decay": 0.01}
PRETRAINED, SCRATCH = "pre-trained, then taught", "taught from scratch"

# scores: {name: [accuracy for each of PER_CLASS]}; majority: accuracy of the largest class
Curves = namedtuple("Curves", "sizes scores majority n_test")


def show_encoder(args) -> bool:
    """Pre-train, teach, and show both; False if Ctrl-C ended it."""
    try:
        job = _prepare(args)
    except InputError as error:
        print(f"\n     Left out: the encoder ({error})")
        return True
    result = job.train()
    if result.interrupted:
        return False
    print("\n".join(f"     {line}" for line in job.verdict(job.quality()).splitlines()))
    curves = _teach(job, args)
    if curves is not None:
        _show(curves, pathlib.Path(args.out) / "transfer.png", args)
    return curves is not None


def _prepare(args):
    from minigpt.commands.flags import checked
    from minigpt.config import preset, recipe
    from minigpt.data.corpus import load_corpus
    from minigpt.pretraining import new_job
    pairs = args.objective == "mlm+nsp"
    more = ", and whether one text follows another" if pairs else ""
    print(f"6/7  Pre-train an encoder: guess hidden words{more}", flush=True)
    corpus = load_corpus(CORPUS)
    model = checked(preset, "fast", vocab_size=args.vocab_size, token_types=2 if pairs else 0, **SIZE)
    steps = STEPS if args.steps is None else min(args.steps, STEPS)
    settings = checked(recipe, "fast", steps=steps, batch_size=16, lr=0.015, seed=args.seed, evaluate_every=500)
    job = new_job(corpus, model, settings, vocab_size=args.vocab_size, objective=args.objective)
    parameters = sum(p.numel() for p in job.model.parameters())
    print(f"     {sum(map(len, corpus.train)):,} characters of docstrings and help, without those that it will "
          f"be judged on;\n     {parameters:,} parameters, {steps:,} steps", flush=True)
    job.begin(pathlib.Path(args.out) / "encoder")
    return job


def _teach(job, args):
    """Curves, or None if Ctrl-C ended it."""
    from tqdm import tqdm

    from minigpt.data.tasks import few, load_task
    task = load_task(TASK)
    print(f"\n7/7  Teach it a task with few labels: from which of {len(task.labels)} modules is a docstring? (names "
          "blanked out)", flush=True)
    scores = {PRETRAINED: [], SCRATCH: []}
    with tqdm(total=2 * len(PER_CLASS), leave=False, disable=None) as bar:
        for size in PER_CLASS:
            some = few(task, size, seed=args.seed)
            for name in (PRETRAINED, SCRATCH):
                steps = min(60 + 2 * size, args.steps or STEPS)
                accuracy = _taught(job, some, name == PRETRAINED, steps, args.seed)
                if accuracy is None:
                    return None
                scores[name].append(accuracy)
                bar.update()
            for name, accuracy in _counting(some):
                scores.setdefault(name, []).append(accuracy)
    largest = Counter(example.label for example in task.train).most_common(1)[0][0]
    majority = sum(example.label == largest for example in task.test) / len(task.test)
    return Curves(PER_CLASS, scores, majority, len(task.test))


def _taught(job, task, pretrained, steps, seed):
    """Accuracy on the test part, of a copy of the encoder or of one like it with weights of chance; None: Ctrl-C."""
    import torch

    from minigpt.config import TrainConfig
    from minigpt.data.labelled_batches import LabelledBatches, text_rows
    from minigpt.finetuning import labelled_texts, logits_of, new_classifier, scores_of
    from minigpt.swap import implementation, use
    from minigpt.training import train
    from minigpt.transformer import Transformer
    trunk = (copy.deepcopy(getattr(job.model, "trunk", job.model)) if pretrained
             else Transformer(job.config.model, generator=torch.Generator().manual_seed(seed)))
    (rows, labels), (test_rows, test_labels) = (
        (text_rows([e.text for e in part], job.tokenizer, trunk.config.context_length), [e.label for e in part])
        for part in (task.train, task.test))
    model = new_classifier(trunk, len(task.labels), "full", seed=seed)
    settings = TrainConfig(steps=steps, evaluate_every=steps, seed=seed, **TEACHING)
    batches = LabelledBatches(rows, labels, settings.batch_size, seed)
    if train(model, labelled_texts(), batches, settings, progress=False).interrupted:
        return None
    with use(**implementation("fused")):
        return scores_of(logits_of(model, test_rows), torch.tensor(test_labels)).accuracy


def _counting(task):
    """(name, accuracy) of classifiers that count words; of none without scikit-learn."""
    from minigpt.classification_baselines import baselines
    rivals = baselines(task)
    with contextlib.suppress(ImportError):
        yield from ((rival.name, rival.accuracy) for rival in rivals if rival.name != "majority")


def _show(curves, path, args):
    print(f"     accuracy on {curves.n_test} docstrings that none of them has seen\n"
          f"     {'labels of each class':<32}" + "".join(f"{size:>8}" for size in curves.sizes))
    for name, accuracies in curves.scores.items():
        print(f"     {name:<32}" + "".join(f"{accuracy:>8.1%}" for accuracy in accuracies))
    print(f"     {'always the same class':<32}" + f"{curves.majority:>8.1%}" * len(curves.sizes))
    print(f"     What was pre-trained is ahead of all others with {_ahead(curves)} labels of each class.")
    _draw(curves, path)
    print(f"     Drawn in {path}. Teach it a task of yours:\n       python -m minigpt finetune --from "
          f"{shlex.quote(str(pathlib.Path(args.out) / 'encoder'))} --task my.csv")


def _ahead(curves):
    """The numbers of labels with which the pre-trained one beats everything else, in words."""
    others = [accuracies for name, accuracies in curves.scores.items() if name != PRETRAINED]
    best = [max(accuracies) for accuracies in zip(*others, strict=True)]
    ours = curves.scores[PRETRAINED]
    return ", ".join(str(size) for size, a, b in zip(curves.sizes, ours, best, strict=True) if a > b) or "none of these"


def _draw(curves, path):
    from minigpt.pictures import figure, save
    fig, ax = figure()
    styles = {PRETRAINED: {"marker": "o"}, SCRATCH: {"marker": "s"}}
    for name, accuracies in curves.scores.items():
        ax.plot(curves.sizes, accuracies, label=name, **styles.get(name, {"linestyle": "--", "linewidth": 1}))
    ax.axhline(curves.majority, color="black", linestyle=":", label="always the same class")
    ax.set_xscale("log", base=2)
    ax.set_xticks(curves.sizes, map(str, curves.sizes))
    ax.set(xlabel="labelled examples of each class", ylabel="accuracy", ylim=(0, None))
    ax.legend(frameon=False, fontsize=9)
    save(fig, path)
