"""Where a model computes."""
import torch

from minigpt.errors import InputError


def choose_device(name=None):
    """The device of that name, or without a name a GPU if there is one, else the processor.

    Raises InputError if this machine has no such device.
    """
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).item()             # PyTorch has devices that hold no numbers
    except (AssertionError, RuntimeError) as error:
        raise InputError(f"--device {name} is none that PyTorch finds on this machine; cpu always is") from error
    return name
