"""remote("host", "<ZONE>…</ZONE>"){…}: the block runs in the other zone, as the client, whoever that is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from embedded_zone.errors import IrodsError
from embedded_zone.rules.hints import tagged_values
from embedded_zone.rules.parameters import KEEP_ALL, Parameters, from_wire, to_wire
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.federation.links import Link

EXEC_MY_RULE = 625


def run(
    link_to: Callable[[str], Link | None], zone: str, host: str, hints: str, text: str, parameters: Parameters
) -> int:
    """Run ``text`` (``remExec{…}``) over there, API 625; ``parameters`` takes what comes back.

    Raises SYS_INVALID_ZONE_NAME, or ZONE_KEY_SIGNATURE_MISMATCH if ``host`` is not the one that mkzone registered.
    """
    link = link_to(zone)
    if link is None:
        raise IrodsError(codes.SYS_INVALID_ZONE_NAME, f"zone {zone} is not federated")
    if host != link.peer.host:
        raise IrodsError(codes.ZONE_KEY_SIGNATURE_MISMATCH, f"{host} is not the server of zone {zone}")
    answer = link.call(
        EXEC_MY_RULE,
        _request(link, hints, text, parameters),
        request_type="ExecMyRuleInp_PI",
        reply_type="MsParamArray_PI",
    )
    parameters.update(from_wire(answer.body))
    parameters.pop(KEEP_ALL, None)
    return answer.status


def _request(link: Link, hints: str, text: str, parameters: Parameters) -> dict[str, Any]:
    engine = tagged_values(hints).get("INST_NAME")
    return {
        "myRule": text,
        "RHostAddr_PI": {"hostAddr": link.peer.host, "rodsZone": link.peer.zone, "port": link.peer.port, "dummyInt": 0},
        "KeyValPair_PI": {"execCondition": hints, **({"instance_name": engine} if engine else {})},
        "outParamDesc": KEEP_ALL,
        "MsParamArray_PI": to_wire(parameters),
    }
