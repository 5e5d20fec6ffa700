"""What the server says about itself: 700, 690, 801, 10204, 10205, 10215."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from typing import Any

from embedded_zone.agent import LOCAL_PRIV_USER_AUTH, NO_USER_AUTH, REMOTE_PRIV_USER_AUTH, Agent
from embedded_zone.api import Reply, api
from embedded_zone.catalog import resources

CATALOG_PROVIDER = 1  # RCAT_ENABLED, a server type

# Names and first months of the features that iRODS 5.0.2 has; each has an older and a newer name.
FEATURES = {
    "IRODS_HAS_LIBRARY_TICKET_ADMINISTRATION": 202209,
    "IRODS_LIBRARY_FEATURE_TICKET_ADMINISTRATION": 202209,
    "IRODS_HAS_LIBRARY_ZONE_ADMINISTRATION": 202210,
    "IRODS_LIBRARY_FEATURE_ZONE_ADMINISTRATION": 202210,
    "IRODS_HAS_API_ENDPOINT_SWITCH_USER": 202211,
    "IRODS_LIBRARY_FEATURE_SWITCH_USER": 202211,
    "IRODS_HAS_LIBRARY_SYSTEM_ERROR": 202301,
    "IRODS_LIBRARY_FEATURE_SYSTEM_ERROR": 202301,
    "IRODS_HAS_FEATURE_PROXY_USER_SUPPORT_FOR_CLIENT_CONNECTION_LIBRARIES": 202306,
    "IRODS_LIBRARY_FEATURE_CLIENT_CONNECTION_LIBRARIES_SUPPORT_PROXY_USERS": 202306,
    "IRODS_LIBRARY_FEATURE_REPLICA_TRUNCATE": 202403,
    "IRODS_LIBRARY_FEATURE_GENQUERY2": 202404,
    "IRODS_LIBRARY_FEATURE_DELAY_RULE_LOCKING": 202411,
}
# The columns of ips, in iRODS's order: number (procStat.h) and what it shows.
PROCESS_COLUMNS = (
    (1000001, "pid"),
    (1000002, "start_time"),
    (1000003, "client_name"),
    (1000004, "client_zone"),
    (1000005, "proxy_name"),
    (1000006, "proxy_zone"),
    (1000007, "client_address"),
    (1000009, "server_address"),
    (1000008, "program"),
)


def _text(value: Any) -> Reply:
    """JSON in a BytesBuf_PI, as the reporting APIs send it."""
    text = json.dumps(value, indent=4).encode()
    return Reply(body={"buflen": len(text), "buf": text})


def _boot_time(agent: Agent) -> int:
    try:
        return int((agent.config.run / "zone.pid").stat().st_mtime)
    except OSError:
        return 0


@api(700, "get_misc_svr_info", reply="MiscSvrInfo_PI", client=NO_USER_AUTH, proxy=NO_USER_AUTH)
def get_misc_svr_info(agent: Agent, request: None, stream: bytes) -> Reply:
    """Version, zone and start time, also for clients that have not logged in (``imiscsvrinfo``)."""
    certificate = json.dumps({"ssl_enabled": bool(agent.scratch.get("tls"))}, separators=(",", ":")).encode()
    return Reply(
        body={
            "serverType": CATALOG_PROVIDER,
            "serverBootTime": _boot_time(agent),
            "relVersion": agent.config.report_version,
            "apiVersion": "d",
            "rodsZone": agent.config.zone_name,
            "BinBytesBuf_PI": {"buflen": len(certificate), "buf": certificate},
        }
    )


@api(690, "proc_stat", request="ProcStatInp_PI", reply="GenQueryOut_PI")
def proc_stat(agent: Agent, request: dict[str, Any], stream: bytes) -> Reply:
    """The agents that serve clients now (``ips``); one that the listener does not record is this one."""
    rows = processes(agent)
    results = [
        {"attriInx": number, "reslen": 64, "value": [str(row[name]) for row in rows]}
        for number, name in PROCESS_COLUMNS
    ]
    return Reply(
        body={
            "rowCnt": len(rows),
            "attriCnt": len(results),
            "continueInx": -1,
            "totalRowCount": 0,
            "SqlResult_PI": results,
        }
    )


def processes(agent: Agent) -> list[dict[str, Any]]:
    """What ``ips`` shows of each agent, by column name."""
    return [
        {
            "pid": os.getpid(),
            "start_time": int(agent.scratch.get("start_time", time.time())),
            "client_name": agent.client.name,
            "client_zone": agent.client.zone,
            "proxy_name": agent.proxy.name,
            "proxy_zone": agent.proxy.zone,
            "client_address": agent.client_address,
            "server_address": agent.config.host,
            "program": agent.option,
        }
    ]


@api(801, "get_library_features", reply="STR_PI", client=NO_USER_AUTH, proxy=NO_USER_AUTH)
def get_library_features(agent: Agent, request: None, stream: bytes) -> Reply:
    """Which optional features the server has, as JSON."""
    return Reply(body={"myStr": json.dumps(FEATURES, sort_keys=True, separators=(",", ":"))})


def _specific_queries(agent: Agent) -> list[str]:
    """The names of the stored queries."""
    return [row[0] or "" for row in agent.db.all("select alias from R_SPECIFIC_QUERY order by alias")]


def _plugins() -> list[dict[str, str]]:
    return [{"name": name, "type": "resource", "version": "", "checksum_sha256": ""} for name in resources.TYPES]


@api(10215, "client_hints", reply="BytesBuf_PI")
def client_hints(agent: Agent, request: None, stream: bytes) -> Reply:
    """What a client may want to know: hash scheme, plugins, rules, specific queries (``iclienthints``)."""
    return _text(
        {
            "hash_scheme": "SHA256",
            "match_hash_policy": "compatible",
            "plugins": _plugins(),
            "rules": _rules(),
            "specific_queries": _specific_queries(agent),
            "strict_acls": "on",
        }
    )


def _rules() -> list[str]:
    """The names that the Python engine answers to: every attribute of core.py."""
    core = sys.modules.get("core")
    return sorted(name for name in vars(core) if not name.startswith("__")) if core is not None else []


def server_report(agent: Agent) -> dict[str, Any]:
    """One server of the zone report: configuration without secrets, host, resources."""
    system = platform.uname()
    return {
        "version": {"irods_version": agent.config.report_version.removeprefix("rods"), "catalog_schema_version": 12},
        "host_system_information": {
            "hostname": agent.config.host,
            "os_distribution_name": system.system,
            "os_distribution_version": system.release,
            "uname": " ".join(system),
        },
        "server_config": {
            "catalog_service_role": "provider",
            "host": agent.config.host,
            "zone_name": agent.config.zone_name,
            "zone_port": agent.scratch.get("port", agent.config.zone_port),
            "zone_user": agent.config.zone_user,
            "default_resource_name": agent.config.default_resource_name,
            "plugin_configuration": {"rule_engines": [{"instance_name": name} for name in agent.config.rule_engines]},
        },
        "plugins": _plugins(),
        "resources": _resources(agent, "resc_net != ?"),
    }


def _resources(agent: Agent, condition: str) -> list[dict[str, Any]]:
    sql = f"select * from R_RESC_MAIN where {condition} order by resc_name"  # noqa: S608  conditions of ours
    return [
        {
            "name": row["resc_name"],
            "type": row["resc_type_name"],
            "host_name": row["resc_net"],
            "vault_path": row["resc_def_path"],
            "context_string": row["resc_context"] or "",
            "parent_resource": row["resc_parent"] or "",
            "parent_context": row["resc_parent_context"] or "",
            "free_space": row["free_space"] or "",
            "status": row["resc_status"] or "",
            "object_count": row["resc_objcount"],
        }
        for row in agent.db.all(sql, (resources.EMPTY_HOST,))
    ]


@api(10204, "server_report", reply="BytesBuf_PI", client=REMOTE_PRIV_USER_AUTH, proxy=REMOTE_PRIV_USER_AUTH)
def report_server(agent: Agent, request: None, stream: bytes) -> Reply:
    """This server's part of the zone report."""
    return _text(server_report(agent))


@api(10205, "zone_report", reply="BytesBuf_PI", client=LOCAL_PRIV_USER_AUTH, proxy=LOCAL_PRIV_USER_AUTH)
def zone_report(agent: Agent, request: None, stream: bytes) -> Reply:
    """The zone's servers and resources (``izonereport``)."""
    zone = {"coordinating_resources": _resources(agent, "resc_net = ?"), "servers": [server_report(agent)]}
    return _text({"schema_version": "v4", "zones": [zone]})
