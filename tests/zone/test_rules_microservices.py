"""Microservices called from Python rules of a running zone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded_zone.client import ZoneClient
from embedded_zone.config import NATIVE_ENGINE
from embedded_zone.server.supervisor import EmbeddedZone

HOME = "/tempZone/home/rods"
CORE = """
import json, irods_types
from genquery import AS_DICT, AS_LIST, Parser, Query, paged_iterator, row_iterator
import session_vars
def run(rule_args, callback, rei):
    call = Caller(callback)
    try:
        rule_args[1] = json.dumps(eval(rule_args[0], dict(globals(), call=call, callback=callback, rei=rei)))
    except RuntimeError as error:
        rule_args[1] = json.dumps(str(error)[:60])
class Caller:
    def __init__(self, callback): self.callback = callback
    def __getattr__(self, name):
        def invoke(*args): return getattr(self.callback, name)(*args)['arguments']
        return invoke
    def write(self, path, data):
        fd = self.msiDataObjCreate(path, 'forceFlag=', 0)[2]
        buffer = irods_types.BytesBuf(); buffer.set_buffer(data)
        self.msiDataObjWrite(fd, len(data), buffer); self.msiDataObjClose(fd, 0)
    def read(self, path):
        fd = self.msiDataObjOpen('objPath=' + path + '++++openFlags=O_RDONLY', 0)[1]
        self.msiDataObjLseek(fd, 1, 'SEEK_SET', irods_types.FileLseekOut_t())
        found = self.msiDataObjRead(fd, 100, irods_types.BytesBuf())[2]
        self.msiDataObjClose(fd, 0)
        return bytes(found.get_bytes()).decode()
    def stat(self, path):
        found = self.msiObjStat(path, irods_types.RodsObjStat())[1]
        return [int(found.objType), found.objSize, str(found.ownerName)]
    def pairs(self, **items):
        kv = irods_types.KeyValPair()
        for key, value in items.items(): kv = self.msiAddKeyVal(kv, key, value)[0]
        return kv
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZoneClient]:
    """A connection to a zone with those helpers and one object."""
    home: Path = tmp_path_factory.mktemp("zone")
    zone = EmbeddedZone(home)
    (zone.config.etc / "core.py").write_text(CORE, encoding="utf-8")
    with zone, ZoneClient.service(zone.config) as connection:
        assert answer(connection, f"call.write('{HOME}/a', 'hello')") is None
        yield connection


def answer(client: ZoneClient, expression: str) -> Any:
    """The value of a Python expression within a rule; the first 60 characters of a RuntimeError."""
    parameters = [
        {"label": "*e", "type": "STR_PI", "inOutStruct": {"myStr": expression}},
        {"label": "*r", "type": "STR_PI", "inOutStruct": {"myStr": ""}},
    ]
    request = {
        "myRule": "@external rule { run(*e, *r) }",
        "RHostAddr_PI": {},
        "KeyValPair_PI": {"instance_name": NATIVE_ENGINE},
        "outParamDesc": "*r",
        "MsParamArray_PI": {"paramLen": 2, "oprType": 0, "MsParam_PI": parameters},
    }
    body = client.call(625, request, request_type="ExecMyRuleInp_PI", reply_type="MsParamArray_PI").body
    return json.loads(body["MsParam_PI"][0]["inOutStruct"]["myStr"])


CASES = [
    (f"call.read('{HOME}/a')", "ello"),
    (f"call.stat('{HOME}/a')", [1, 5, "rods"]),
    (f"call.stat('{HOME}')", [2, 0, "rods"]),
    (f"call.msiDataObjChksum('{HOME}/a', 'forceChksum=', '')[2][:5]", "sha2:"),
    (f"[callback.msiDataObjUnlink('{HOME}/none', 0)[k] for k in ('code', 'status')]", [-808000, False]),
    (f"callback.msiObjStat('{HOME}/none', irods_types.RodsObjStat())", "[iRods__Error__Code:-310000]"),
    ("callback.msiDataObjPut('a', 'b', 'c', 0)", "[iRods__Error__Code:-66000]"),
    (f"call.msiDataObjCopy('{HOME}/a', '{HOME}/b', 'forceFlag=', 0)[3]", 0),
    (f"call.msiDataObjRename('{HOME}/b', '{HOME}/c', '0', 0)[3]", 0),
    (f"call.msiDataObjUnlink('objPath={HOME}/c++++forceFlag=', 0)[1]", 0),
    (f"[call.msiCollCreate('{HOME}/d/e', '1', 0)[2], call.stat('{HOME}/d/e')[0]]", [0, 2]),
    (f"call.msiRmColl('{HOME}/d', 'forceFlag=', 0)[2]", 0),
    (f"call.msiAssociateKeyValuePairsToObj(call.pairs(k='v', l='w'), '{HOME}/a', '-d')[1]", f"{HOME}/a"),
    (f"call.msiModAVUMetadata('-d', '{HOME}/a', 'set', 'm', 'x', 'u')[3]", "m"),
    (
        "sorted(Query(callback, 'META_DATA_ATTR_NAME, META_DATA_ATTR_VALUE', \"DATA_NAME = 'a'\"))",
        [["k", "v"], ["l", "w"], ["m", "x"]],
    ),
    ("list(Query(callback, ['DATA_NAME'], \"DATA_NAME = 'A'\", case_sensitive=False))", ["a"]),
    ("[r['DATA_SIZE'] for r in row_iterator('DATA_NAME,DATA_SIZE', \"DATA_NAME = 'a'\", AS_DICT, callback)]", ["5"]),
    ("Query(callback, 'COLL_NAME', \"COLL_NAME like '/tempZone/%'\").total_rows() > 3", True),
    ("Query(callback, 'DATA_NAME', \"DATA_NAME = 'nope'\").first()", None),
    (
        "[len(p) for p in paged_iterator('COLL_NAME', \"COLL_NAME like '/tempZone/home%'\", AS_LIST, callback, 2)]",
        [2, 1],
    ),
    ("list(Query(callback, 'DATA_NAME', \"DATA_NAME = 'a'\", parser=Parser.GENQUERY2))", [["a"]]),
    (f"call.msiSetACL('default', 'read', 'public', '{HOME}/a')[1]", "read"),
    (
        "json.loads(call.msi_atomic_apply_metadata_operations(json.dumps({'entity_name': '"
        + HOME
        + "/a', 'entity_type': "
        "'data_object', 'operations': [{'operation': 'add', 'attribute': 'z', 'value': 'y'}]}), '')[1])",
        {},
    ),
    (f"call.msi_touch(json.dumps({{'logical_path': '{HOME}/a'}}))[0][:2]", '{"'),
    ("len(call.msiGetIcatTime('', 'unix')[0])", 11),
    ("call.msiString2KeyValPair('a=b%c=d', irods_types.KeyValPair())[1]['c']", "d"),
    ("session_vars.get_map(rei)['client_user']['user_name']", "rods"),
    ("call.msiSetDefaultResc('demoResc', 'preferred')[0]", "demoResc"),
]


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_microservices_from_python(client: ZoneClient, expression: str, expected: Any) -> None:
    """Each answers as the real one; failures carry their code at the start of the text."""
    found = answer(client, expression)

    assert found[: len(expected)] == expected if isinstance(expected, str) and found is not None else found == expected
