"""Which package index the user's pip is configured with: corpora come from the same one."""
import ast
import os
import subprocess
import sys
from urllib.parse import urlsplit

from pypi_simple import PYPI_SIMPLE_ENDPOINT

KEYS = ("index-url", "cert", "proxy")   # what reaching an index can depend on
SECTIONS = ("global", "install", "download")   # as in `pip download`, a later one wins


def pip_settings() -> dict[str, str]:
    """What pip is configured with: "index-url" always, "cert" and "proxy" where they are set.

    Environment variables (PIP_INDEX_URL ...) win over pip's files; without either it is the public index.
    """
    settings = {"index-url": PYPI_SIMPLE_ENDPOINT}
    listed = dict(_listed_by_pip())
    for key in KEYS:
        found = [listed.get(f"{section}.{key}") for section in SECTIONS]
        found.append(os.environ.get("PIP_" + key.upper().replace("-", "_")))
        settings.update((key, value) for value in found if value)
    return settings


def _listed_by_pip():
    """(section.key, value) for each setting in pip's files, in every folder where pip looks for them."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return
    for line in listing.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.split(".")[0] in SECTIONS:
            yield name, str(ast.literal_eval(value)).strip()


def without_password(url: str) -> str:
    """The address without a user name and password, fit for a message."""
    try:
        parts = urlsplit(url)
    except ValueError:                                 # no address at all; the password goes all the same
        return url.rpartition("@")[2]
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
