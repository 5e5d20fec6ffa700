"""The patrol: a delayed rule that finds what stopped and sets it going again, or ends it.

It cannot guard itself: on a real zone a repeating rule whose agent is killed stays locked for ever. So each round
leaves its heartbeat in the catalogue, and a submit, a hook and the workers' watch see a dead one and start it again.
"""

from python_rules.engine.patrol.round import ensure, go_round

__all__ = ["ensure", "go_round"]
