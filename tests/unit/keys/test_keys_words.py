"""One table of words for ``sluice keys`` and ``sluice-keys``; what they tell is the same."""

from __future__ import annotations

import pytest

from api_shim.client import keys as remote
from python_rules import key_rules, names
from python_rules.config import Config
from python_rules.engine import key_command as local
from python_rules.engine.keys import Keyring, Log, Who
from python_rules.engine.keys.desk import Desk
from python_rules.jobs import key_words

LIFE = {
    "create k --owner alice#z": "k:1 created; nobody may use it but its owner, until granted",
    "grant k bob#z seal open --collection /z/lab": "bob#z may seal, open with k in /z/lab",
    "rotate k": "k:2 seals from now on; older versions still open",
    "disable k --version 1": "k disabled",
    "enable k": "k enabled",
    "destroy k --version 1": "k does nothing from now on and is destroyed at ",
    "recover k": "k is back",
    "revoke k bob#z": "seal, open, manage taken from bob#z",
    "list": "KEY  STATUS   CREATED",
    "show k": '{\n "name": "k",\n "owner": "alice#z"',
}


def test_every_word_is_a_rule_and_has_both_desks() -> None:
    """So that no door lacks one."""
    assert {names.KEYS_PREFIX + word for word in key_words.LIFE} <= set(key_rules.RULES)
    for desk in (Desk, remote.Desk):
        assert all(callable(getattr(desk, word)) for word in key_words.LIFE)
    assert set(key_words.LIFE) == {words.split()[0] for words in LIFE}


def test_both_commands_understand_and_tell_the_same(
    filed: Config, keyring: Keyring, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every word, here by the service account's command; the other one makes the same of words and answers."""
    desk = Desk(keyring, log, Who("root@host", admin=True), 7)
    for line, told in LIFE.items():
        words = line.split()
        assert local.main(["--config", filed.path, *words]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith(told)

        options = remote.parser().parse_args(words)
        mine = vars(local._parser().parse_args(words))
        assert vars(options).items() <= mine.items()
        if words[0] in ("list", "show"):
            command = remote.COMMANDS[words[0]]
            assert command.told(options, command.do(desk, options)) + "\n" == shown


def test_a_wrong_word_is_told_without_a_login(capsys: pytest.CaptureFixture[str]) -> None:
    """The client asks for a password only when it knows what to do."""

    def asked() -> None:
        raise AssertionError("a client was made")

    for words in (["grant", "k"], ["nonsense"], ["disable", "k", "--version", "x"]):
        with pytest.raises(SystemExit):
            remote.run(words, asked, False)
    assert "sluice keys" in capsys.readouterr().err
