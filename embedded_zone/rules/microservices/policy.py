"""Microservices that static hooks use to state a policy; operations read it from ``agent.scratch['policy']``."""

from __future__ import annotations

from typing import Any

from embedded_zone.errors import IrodsError
from embedded_zone.rules.microservices.registry import Call, microservice, text_argument
from embedded_zone.wire.codes import MSI_OPERATION_NOT_ALLOWED, SYS_DELETE_DISALLOWED


def _state(call: Call, **values: Any) -> None:
    call.agent.scratch.setdefault("policy", {}).update(values)


@microservice("msiSetDefaultResc", 2)
def default_resource(call: Call, args: list[Any]) -> None:
    """msiSetDefaultResc(resource, 'preferred'|'forced'|'null')."""
    option = text_argument(args[1])
    key = "forced_resource" if option == "forced" and not call.agent.is_admin else "default_resource"
    _state(call, **{key: text_argument(args[0])})


@microservice("msiSetNumThreads", 3)
def threads(call: Call, args: list[Any]) -> None:
    """msiSetNumThreads(MB per thread, maximum, window size)."""
    _state(call, num_threads=text_argument(args[1]))


@microservice("msiNoTrashCan", 0)
def no_trash(call: Call, args: list[Any]) -> None:
    """Removal does not go through the trash."""
    _state(call, no_trash=True)


@microservice("msiDeleteDisallowed", 0)
def delete_disallowed(call: Call, args: list[Any]) -> int:
    """Refuse a removal."""
    _state(call, no_delete=True)
    raise IrodsError(SYS_DELETE_DISALLOWED, "deletion is disallowed by policy")


@microservice("msiOprDisallowed", 0)
def operation_disallowed(call: Call, args: list[Any]) -> int:
    """Refuse an operation."""
    raise IrodsError(MSI_OPERATION_NOT_ALLOWED, "operation is disallowed by policy")


def _recorded(name: str, count: int, key: str) -> None:
    @microservice(name, count)
    def record(call: Call, args: list[Any]) -> None:
        """Keep the setting for operations that honour it."""
        _state(call, **{key: [text_argument(a) for a in args] if count != 1 else text_argument(args[0])})


for _name, _count, _key in (
    ("msiSetNoDirectRescInp", 1, "no_direct_resources"),
    ("msiSetDataObjPreferredResc", 1, "preferred_resource"),
    ("msiSetDataObjAvoidResc", 1, "avoided_resource"),
    ("msiSetDataTypeFromExt", 0, "data_type_from_extension"),
    ("msiNoChkFilePathPerm", 0, "no_path_check"),
    ("msiSetChkFilePathPerm", 1, "path_check"),
    ("msiSetPublicUserOpr", 1, "public_user_operations"),
    ("msiCheckHostAccessControl", 0, "host_access_control"),
    ("msiSetGraftPathScheme", 2, "graft_path_scheme"),
    ("msiSetRandomScheme", 0, "random_scheme"),
    ("msiSetRescQuotaPolicy", 1, "resource_quota"),
    ("msiSetBulkPutPostProcPolicy", 1, "bulk_put_post_processing"),
    ("msiSetReServerNumProc", 1, "rule_processes"),
    ("msiCommit", 0, "committed"),
    ("msiRollback", 0, "rolled_back"),
):
    _recorded(_name, _count, _key)
