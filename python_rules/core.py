"""The rule base: a site adds ``from python_rules.core import *`` to its own core.py.

A server takes every attribute of core.py for a rule that anyone may call, so only rules and hooks are exported.
"""

from python_rules.composition import POLICIES as _POLICIES
from python_rules.key_rules import RULES as _KEY_RULES
from python_rules.peps import HOOKS as _HOOKS
from python_rules.readable import RULES as _READABLE
from python_rules.rules import RULES as _RULES

globals().update(_RULES)
globals().update(_KEY_RULES)
globals().update(_HOOKS)
globals().update(_POLICIES)
globals().update(_READABLE)

__all__ = [*_RULES, *_KEY_RULES, *_HOOKS, *_POLICIES, *_READABLE]
