"""From a task to a fine-tuned classifier in a folder, and how good it became."""
import hashlib
import json
import time
from collections import namedtuple
from dataclasses import dataclass, field

import torch
from torch import nn

from minigpt.calibration import fitted_temperature
from minigpt.config import TrainConfig
from minigpt.data.labelled_batches import LabelledBatches, batches_in_order, text_rows
from minigpt.data.tasks import Task
from minigpt.early_stopping import EarlyStopping, learned
from minigpt.errors import InputError
from minigpt.finetuned_runs import FINISHED, SCRATCH, FinetuneConfig, FinetunedRun, resume_finetuned
from minigpt.finetuning import FeatureBatches, Head, features_of, labelled_texts, logits_of, new_classifier, scores_of
from minigpt.pretraining import here
from minigpt.runs import begin_run
from minigpt.swap import implementation, use
from minigpt.training import train
from minigpt.weighted_cross_entropy import balanced_weights

# epochs: rounds over the training texts, but at least so many steps; the rest: of a TrainConfig
Recipe = namedtuple("Recipe", "epochs steps lr batch_size weight_decay")
RECIPES = {
    "head": Recipe(20, 300, 1e-2, 32, 0.01),
    "full": Recipe(3, 100, 1e-4, 16, 0.01),
    "lora": Recipe(3, 150, 2e-3, 16, 0.01),
}
FIXED = {"schedule": "linear", "warmup": 0.1, "beta2": 0.999, "evaluate_batches": 0}


def settings_of(method, n_texts, *, epochs=None, from_scratch=False, **given):
    """The TrainConfig of a method for so many training texts; given: what the user wants otherwise."""
    recipe = RECIPES[method]
    if from_scratch:
        recipe = recipe._replace(epochs=15, steps=300, lr=1e-3)
    size = min(given.get("batch_size", recipe.batch_size), n_texts)
    per_round = -(-n_texts // size)
    steps = max(per_round * recipe.epochs, recipe.steps) if epochs is None else max(1, round(per_round * epochs))
    usual = {"steps": steps, "lr": recipe.lr, "batch_size": recipe.batch_size, "weight_decay": recipe.weight_decay,
             "evaluate_every": max(1, steps // 10)}
    if "tokens" in given or "minutes" in given:
        raise InputError("fine-tuning goes by --steps or --epochs")
    return TrainConfig(**FIXED | usual | given)


@dataclass
class FinetuneJob:
    """A classifier, the task it learns, and how far it has come."""
    task: Task
    tokenizer: object
    model: nn.Module                    # a Classifier
    config: FinetuneConfig
    run: FinetunedRun | None = None
    state: dict | None = None           # of a run that is resumed
    records: tuple = ()
    seconds: float = field(default=0.0) # that the features took

    def __post_init__(self):
        config = self.config
        self.rows = {part: text_rows([e.text for e in getattr(self.task, part)], self.tokenizer, config.longest)
                     for part in ("train", "validation", "test")}
        self.labels = {part: torch.tensor([e.label for e in getattr(self.task, part)]) for part in self.rows}
        self.stopping = EarlyStopping(config.patience)
        weights = balanced_weights(self.labels["train"], len(config.labels)).float() if config.class_weights else None
        self.objective = labelled_texts(weights)

    @property
    def finished(self):
        """Whether its last checkpoint holds the result."""
        return self.state is not None and FINISHED in self.state

    @property
    def uses_validation(self):
        """With a few labels a class, those of the validation part would be more than all others: they are not used."""
        return self.config.task["per_class"] is None and len(self.task.validation) > 0

    @property
    def n_trained(self):
        """How many numbers are learned."""
        return sum(p.numel() for p in learned(self.model).values())

    def begin(self, folder):
        """Open the run's folder. What is there is replaced at the first checkpoint."""
        self.run = begin_run(folder, self.config, self.tokenizer, FinetunedRun)

    def train(self, *, progress=None, **options):
        """Train to the end, or until Ctrl-C; options and Result as in minigpt.training.train.

        Where more learns than the head, and something was learned before, the head learns first, alone: with weights of
        chance it would bend the rest (Kumar et al. 2022, arXiv:2202.10054).
        progress: called with (texts read, of how many) while features are computed.
        """
        config = self.config
        if self.state is None and config.method != "head" and config.start["name"] != SCRATCH:
            self._teach_head(progress)
        module, batches, validation = self._learner(progress)
        if self.run is not None:
            self.run.kept = tuple(learned(self.model))
        result = train(module, self.objective, batches, config.train, validation=validation, run=self.run,
                       state=self.state, records=self.records, stopping=self.stopping,
                       implementation=config.implementation, **options)
        if not result.interrupted:
            self.stopping.restore(module)
        return result

    def _learner(self, progress):
        """(module that learns, its batches, validation batches): with the head alone, of features."""
        settings, method = self.config.train, self.config.method
        size, seed, accumulation = settings.batch_size, settings.seed, settings.accumulation
        parts = ["train", "validation"] if self.uses_validation else ["train"]
        if method != "head":
            batches = LabelledBatches(self.rows["train"], self.labels["train"].tolist(), size, seed, accumulation)
            held_out = batches_in_order(self.rows["validation"], self.labels["validation"].tolist())[1]
            return self.model, batches, held_out if self.uses_validation else ()
        z = self._features(parts, progress)
        held_out = [(z["validation"], None, self.labels["validation"])] if self.uses_validation else ()
        return Head(self.model), FeatureBatches(z["train"], self.labels["train"], size, seed, accumulation), held_out

    def _teach_head(self, progress):
        z, labels, seed = self._features(["train"], progress)["train"], self.labels["train"], self.config.train.seed
        settings = settings_of("head", len(z), seed=seed)
        batches = FeatureBatches(z, labels, settings.batch_size, seed)
        if train(Head(self.model), self.objective, batches, settings, progress=False).interrupted:
            raise KeyboardInterrupt    # nothing is kept yet that could be taken up

    def _features(self, parts, progress):
        started, total, done, found = time.perf_counter(), sum(len(self.rows[part]) for part in parts), 0, {}
        with use(**implementation(self.config.implementation)):
            for part in parts:
                def report(n, done=done):
                    if progress:
                        progress(done + n, total)
                found[part] = features_of(self.model, self.rows[part], progress=report)
                done += len(self.rows[part])
        self.seconds = time.perf_counter() - started
        return found

    def logits(self, part, progress=None):
        """The scores of a part of the task: (N, K). progress: called with (texts read, of how many)."""
        rows = self.rows[part]
        with use(**implementation(self.config.implementation)):
            return logits_of(self.model, rows, progress=progress and (lambda done: progress(done, len(rows))))

    def judge(self, progress=None):
        """(Scores on the test part, the same with calibrated probabilities, the temperature of these)."""
        logits, labels = self.logits("test", progress), self.labels["test"]
        temperature = 1.0
        if self.uses_validation:
            temperature = fitted_temperature(self.logits("validation"), self.labels["validation"])
        return scores_of(logits, labels), scores_of(logits / temperature, labels), temperature


def new_finetuning(task, start, method, settings, *, how=None, longest=128, rank=8, alpha=16, class_weights=False,
                   patience=0, per_class=None, own_file=False, device="cpu", asked=None, task_seed=0):
    """A FinetuneJob from the beginning. start: what load_start gave. settings: a TrainConfig with steps.

    Raises InputError for what does not go together.
    """
    trunk, tokenizer, source = start
    if source["name"] == SCRATCH and method != "full":
        raise InputError(f"--from scratch has learned nothing that --method {method} could keep; use --method full")
    longest = min(longest, trunk.config.context_length)
    model = new_classifier(trunk, len(task.labels), method, how=how, unit=method == "head", rank=rank, alpha=alpha,
                           seed=settings.seed)
    about = {"name": task.name, "own_file": own_file, "content_hash": content_hash(task), "seed": task_seed,
             "per_class": per_class}
    config = FinetuneConfig(trunk.config, settings, about, tuple(task.labels), source, method, model.how, longest, rank,
                            alpha, class_weights, patience, model.unit, asked or {}, device=device, made_with=here())
    return FinetuneJob(task, tokenizer, model, config)


def content_hash(task):
    """The SHA-256 of all examples of a task, in their parts."""
    parts = [[list(example) for example in getattr(task, part)] for part in ("train", "validation", "test")]
    return hashlib.sha256(json.dumps([task.labels, parts]).encode()).hexdigest()


def resumed_finetuning(folder, make_task, start=None):
    """The FinetuneJob of a run folder, to go on from its last checkpoint.

    make_task: (task, asked) of the FinetuneConfig -> Task. start: where the run is now that it began from.
    Raises InputError if the texts are not the same, or the folder is not whole.
    """
    run, model, tokenizer, config, state, records = resume_finetuned(folder, start)
    task = make_task(config.task, config.asked)
    if content_hash(task) != config.task["content_hash"]:
        raise InputError(f"the texts of {task.name} are not those that {folder} learned from; bring them back, or "
                         "begin again with --overwrite")
    return FinetuneJob(task, tokenizer, model.to(config.device), config, run, state, tuple(records))
