"""One contract for every provider, and what each does when its master key is away."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from python_rules.engine.keys import Keyring, Log, Provider, backup
from python_rules.engine.keys.providers import PROVIDERS, provider_of
from python_rules.jobs.errors import JobError
from tests.peers.transit import Transit
from tests.unit.keys.conftest import PIN, TOKEN, Settings

Kinds = Callable[[str], dict[str, Any]]


def test_what_is_wrapped_comes_back(provider: Provider) -> None:
    """The same bytes, from other bytes each time."""
    secret = os.urandom(32)

    first, second = provider.wrap(secret, b"a:1"), provider.wrap(secret, b"a:1")

    assert first != second
    assert secret not in first
    assert provider.unwrap(first, b"a:1") == provider.unwrap(second, b"a:1") == secret


@pytest.mark.parametrize("spoil", [lambda w: w[:-1] + bytes([w[-1] ^ 1]), lambda w: w[:-3], lambda w: b"", lambda w: w])
def test_what_is_damaged_or_of_another_key_is_refused(provider: Provider, spoil: Callable[[bytes], bytes]) -> None:
    """A flipped bit, a cut end, nothing at all, and a wrapping that belongs to another version."""
    wrapped = provider.wrap(os.urandom(32), b"a:1")

    with pytest.raises(JobError) as caught:
        provider.unwrap(spoil(wrapped), b"a:2")

    assert caught.value.code == "configuration"
    assert "did not wrap" in caught.value.text


def test_a_master_key_is_made_once(provider: Provider) -> None:
    """The second time it is refused, and the first one stays."""
    wrapped = provider.wrap(b"s" * 32, b"")

    with pytest.raises(JobError, match=r"cannot be made|exists"):
        provider.create()

    assert provider.unwrap(wrapped, b"") == b"s" * 32


def test_threads_share_a_provider(provider: Provider) -> None:
    """An engine's threads unwrap at the same time."""
    wrapped = provider.wrap(b"s" * 32, b"")
    seen: list[bytes] = []
    threads = [threading.Thread(target=lambda: seen.append(provider.unwrap(wrapped, b""))) for _ in range(6)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [b"s" * 32] * 6


def test_moving_between_providers(settings: Settings, kinds: Kinds, log: Log) -> None:
    """File to token to transit service and back: every version has the same secret, and the old master key none."""
    first = settings(**kinds("file"))
    keyring = Keyring.of(first)
    keyring.provider.create()
    keyring.create("a")
    keyring.rotate("a")
    signer = backup.signing.public_key(keyring)
    secrets = [bytes(keyring.version("a", number).secret) for number in (1, 2)]

    for kind in ("pkcs11", "transit", "file"):
        target = Keyring.of(settings(f"{kind}.json", **kinds(kind)))
        target.provider.create()
        assert backup.move(keyring, target) == 2
        with pytest.raises(JobError, match="did not wrap"):
            keyring.primary("a")
        keyring = target

    assert [bytes(keyring.version("a", number).secret) for number in (1, 2)] == secrets
    assert backup.signing.signed(keyring, {})["signer"] == signer


def test_moving_into_a_new_file(settings: Settings, kinds: Kinds, tmp_path: Path) -> None:
    """The old file stays as it was; a file that holds keys is not written over."""
    old, new = Keyring.of(settings(**kinds("file"))), tmp_path / "moved.json"
    old.provider.create()
    old.create("a")
    target = Keyring.of(settings("new.json", **{**kinds("file"), "keyring": str(new)}))
    target.provider.create()

    backup.move(old, target)

    assert old.primary("a").secret == target.primary("a").secret
    with pytest.raises(JobError, match="holds keys already"):
        backup.move(old, target)


def test_a_lost_token_says_so(settings: Settings, kinds: Kinds) -> None:
    """The error names the token and the settings, and no PIN."""
    values = kinds("pkcs11")
    for wrong in ({"pkcs11_token": "gone"}, {"pkcs11_module": "/nowhere.so"}, {"master_label": "gone"}):
        with pytest.raises(JobError) as caught:
            provider_of(settings(**{**values, **wrong})).wrap(b"s", b"")
        assert caught.value.code == "configuration"
        assert "pkcs11 token" in caught.value.text
        assert PIN not in caught.value.text + caught.value.remedy


def test_a_transit_service_that_refuses_says_so(
    settings: Settings, kinds: Kinds, service: tuple[str, Transit], tmp_path: Path
) -> None:
    """Sealed, away, or not for this client: the error tells which setting to look at, and shows no token."""
    values, (_, engine) = kinds("transit"), service
    provider = provider_of(settings(**values))
    provider.create()
    spoils: dict[str, Callable[[], object]] = {
        "VaultDown": lambda: setattr(engine, "sealed", True),
        "Forbidden": lambda: (tmp_path / "token").write_text("another"),
    }
    for kind, spoil in spoils.items():
        spoil()
        with pytest.raises(JobError, match=kind) as caught:
            provider.wrap(b"s", b"")
        assert TOKEN not in caught.value.text
        engine.sealed = False
    with pytest.raises(JobError, match="cannot be used"):
        provider_of(settings(**{**values, "transit_url": "http://127.0.0.1:1"})).wrap(b"s", b"")


def test_a_service_may_rotate_its_own_key(settings: Settings, kinds: Kinds, service: tuple[str, Transit]) -> None:
    """What it wrapped before is still unwrapped."""
    values = kinds("transit")
    provider = provider_of(settings(**values))
    provider.create()
    before = provider.wrap(b"s" * 32, b"")

    service[1].rotate(values["master_label"], {})

    assert provider.wrap(b"s" * 32, b"").startswith(b"vault:v2:")
    assert provider.unwrap(before, b"") == b"s" * 32


@pytest.mark.parametrize("kind", PROVIDERS)
def test_missing_settings_are_named(settings: Settings, kind: str) -> None:
    """Before anything is tried."""
    with pytest.raises(JobError, match=r"lacks keys\.") as caught:
        provider_of(settings(provider=kind))
    assert "sluice.json" in caught.value.text


def test_an_unknown_provider_is_refused(settings: Settings) -> None:
    """The error lists those that there are."""
    with pytest.raises(JobError, match="file, pkcs11, transit"):
        provider_of(settings(provider="magic"))
