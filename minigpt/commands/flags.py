"""Flags made from the fields of a configuration; the comments behind the fields are their help."""
import argparse
import contextlib
import dataclasses
import inspect
import math
import re
import typing

from minigpt.config import CHOICES
from minigpt.errors import InputError


def add_config_flags(parser, kind, title, *, skip=(), **defaults):
    """Add a flag for every field of a configuration, such as --context-length for context_length.

    defaults: to show for fields whose default is not that of the configuration.
    """
    group = parser.add_argument_group(title)
    comments = dict(re.findall(r"^    (\w+): .*?# *(.*)$", inspect.getsource(kind), re.MULTILINE))
    for field in dataclasses.fields(kind):
        if field.name in skip:
            continue
        options = {"dest": field.name, "default": argparse.SUPPRESS, "help": _help(field, comments, defaults)}
        if field.type is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif field.name in CHOICES:
            options["choices"] = CHOICES[field.name]
        else:
            number = next(t for t in (*typing.get_args(field.type), field.type) if t is not type(None))
            options |= {"type": finite if number is float else number, "metavar": number.__name__.upper()}
        group.add_argument(f"--{field.name.replace('_', '-')}", **options)


def given(kind, args):
    """The fields of a configuration that the user gave: {name: value}."""
    return {field.name: getattr(args, field.name) for field in dataclasses.fields(kind) if hasattr(args, field.name)}


def checked(make, *args, **values):
    """make(*args, **values), where what a configuration complains about is the user's input.

    Raises InputError for its ValueError.
    """
    try:
        return make(*args, **values)
    except ValueError as error:
        raise InputError(str(error)) from error


def finite(text):
    """The number that a flag's value spells. Raises argparse.ArgumentTypeError if it is none, or not finite."""
    with contextlib.suppress(ValueError):
        if math.isfinite(float(text)):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no finite number")


def _help(field, comments, defaults):
    default = defaults.get(field.name, field.default)
    shown = "" if default in (None, dataclasses.MISSING) else f"(default: {default})"
    return f"{comments.get(field.name, '')} {shown}".strip().replace("%", "%%")
