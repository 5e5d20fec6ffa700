"""Named keys: a keyring whose secrets a provider wraps, grants, and an audit log of every use."""

from python_rules.engine.keys.audit import Log
from python_rules.engine.keys.grants import Who
from python_rules.engine.keys.key import Key
from python_rules.engine.keys.keyring import Keyring
from python_rules.engine.keys.provider import FileProvider, Provider, create_master_key
from python_rules.engine.keys.use import KeySource, KeyUse

__all__ = [
    "FileProvider",
    "Key",
    "KeySource",
    "KeyUse",
    "Keyring",
    "Log",
    "Provider",
    "Who",
    "create_master_key",
]
