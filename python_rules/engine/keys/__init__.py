"""Named keys: a keyring file whose keys are wrapped by a master key that lies elsewhere."""

from python_rules.engine.keys.key import Key
from python_rules.engine.keys.keyring import Keyring, require_key
from python_rules.engine.keys.provider import FileProvider, Provider, create_master_key

__all__ = ["FileProvider", "Key", "Keyring", "Provider", "create_master_key", "require_key"]
