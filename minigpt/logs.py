"""`--log tensorboard | wandb`: every record of a run also goes to a program that draws it while it grows."""
import dataclasses

from minigpt.errors import InputError

LOGS = ("tensorboard", "wandb")


def logger(name, folder, config):
    """A function of a record (a line of metrics.jsonl, as a dict) that hands it on; None for no name.

    name: one of LOGS. folder: of the run; config: its RunConfig, shown beside the curves.
    Raises InputError, with the command that installs it, if the package is absent.
    """
    if name is None:
        return None
    values = dataclasses.asdict(config)
    try:
        if name == "wandb":
            import wandb
            run = wandb.init(project="minigpt", name=str(folder), dir=str(folder), config=values)
            return lambda record: run.log(_numbers(record), step=record["step"])
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(f"--log {name} needs the package {name}; pip install {name}, or leave --log out: the run's "
                         "folder has metrics.jsonl and curve.png in any case") from error
    writer = SummaryWriter(str(folder))
    writer.add_text("config", f"```\n{values}\n```")

    def write(record):
        for key, value in _numbers(record).items():
            writer.add_scalar(key, value, record["step"])
        writer.flush()

    return write


def _numbers(record):
    return {key: value for key, value in record.items() if key != "step" and value is not None}
