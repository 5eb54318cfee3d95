"""Which package index pip is configured with."""
# ruff: noqa: F811  (an imported fixture comes again as the name of an argument)
from test_data_fetch import cache  # noqa: F401

from minigpt.data.index import pip_settings, without_password


def test_without_settings_pip_uses_the_public_index(cache):
    assert pip_settings() == {"index-url": "https://pypi.org/simple/"}


def test_the_index_of_pips_own_file_is_used_and_the_environment_wins(cache, tmp_path, monkeypatch):
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://mirror.example/simple\ncert = /etc/campus.pem\n"
                    "[install]\nindex-url = https://inner.example/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    assert pip_settings() == {"index-url": "https://inner.example/simple", "cert": "/etc/campus.pem"}
    monkeypatch.setenv("PIP_INDEX_URL", "https://mine.example/simple")
    assert pip_settings()["index-url"] == "https://mine.example/simple"


def test_a_password_in_an_address_is_left_out():
    assert without_password("https://me:secret@host.example:8080/simple/") == "https://host.example:8080/simple/"


def test_an_address_that_is_none_still_loses_its_password():
    assert without_password("https://me:secret@[bad/") == "[bad/"
