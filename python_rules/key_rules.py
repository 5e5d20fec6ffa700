"""The named rules of keys: few short texts in, the key as it is then out. No rule takes or gives a secret."""

from __future__ import annotations

from typing import Any, Dict

from python_rules import engine_link, names
from python_rules.dialect import Call, Rule, named_rule


def _list(call: Call) -> Any:
    """sluice_keys_list(*response): the keys that the caller may use or manage."""
    return _ask(call, "list")


def _show(call: Call, name: str) -> Any:
    """sluice_keys_show(*name, *response): one key, its versions and grants."""
    return _ask(call, "show", name=name)


def _create(call: Call, name: str, owner: str) -> Any:
    """sluice_keys_create(*name, *owner, *response): administrators make keys, '' for themselves."""
    return _ask(call, "create", name=name, owner=owner)


def _grant(call: Call, name: str, who: str, rights: str, collection: str) -> Any:
    """sluice_keys_grant(*name, *who, *rights, *collection, *response): rights as 'seal,open,manage'."""
    return _ask(call, "grant", name=name, who=who, rights=rights, collection=collection)


def _revoke(call: Call, name: str, who: str, rights: str) -> Any:
    """sluice_keys_revoke(*name, *who, *rights, *response): '' for all rights."""
    return _ask(call, "revoke", name=name, who=who, rights=rights)


def _rotate(call: Call, name: str) -> Any:
    """sluice_keys_rotate(*name, *response): a new version seals from now on; the old ones still open."""
    return _ask(call, "rotate", name=name)


def _disable(call: Call, name: str, version: str) -> Any:
    """sluice_keys_disable(*name, *version, *response): '' for all versions."""
    return _ask(call, "disable", name=name, version=version)


def _enable(call: Call, name: str, version: str) -> Any:
    """sluice_keys_enable(*name, *version, *response): '' for all versions."""
    return _ask(call, "enable", name=name, version=version)


def _destroy(call: Call, name: str, version: str) -> Any:
    """sluice_keys_destroy(*name, *version, *response): after keys.destroy_days; '' for all versions."""
    return _ask(call, "destroy", name=name, version=version)


def _recover(call: Call, name: str, version: str) -> Any:
    """sluice_keys_recover(*name, *version, *response): take the order to destroy back."""
    return _ask(call, "recover", name=name, version=version)


def _share(call: Call, path: str, reader: str) -> Any:
    """sluice_keys_share(*path, *reader, *response): a header of one object for a reader's Crypt4GH public key."""
    return engine_link.ask("share", path=path, reader=reader, user=call.caller.user)


def _ask(call: Call, do: str, **texts: str) -> Any:
    return engine_link.ask("keys", do=do, user=call.caller.user, admin=call.caller.is_admin, texts=texts)


RULES: Dict[str, Rule] = {
    names.KEYS_PREFIX + "list": named_rule(_list),
    names.KEYS_PREFIX + "show": named_rule(_show),
    names.KEYS_PREFIX + "create": named_rule(_create),
    names.KEYS_PREFIX + "grant": named_rule(_grant),
    names.KEYS_PREFIX + "revoke": named_rule(_revoke),
    names.KEYS_PREFIX + "rotate": named_rule(_rotate),
    names.KEYS_PREFIX + "disable": named_rule(_disable),
    names.KEYS_PREFIX + "enable": named_rule(_enable),
    names.KEYS_PREFIX + "destroy": named_rule(_destroy),
    names.KEYS_PREFIX + "recover": named_rule(_recover),
    names.KEYS_PREFIX + "share": named_rule(_share),
}
