"""What the server finds when it computes checksums again (API 629 with ``verifyChksum``): it registers nothing."""

from __future__ import annotations

import json
from typing import NamedTuple

import irods.keywords as kw
from irods.api_number import api_number
from irods.exception import CHECK_VERIFICATION_RESULTS
from irods.message import DataObjChksumRequest, DataObjChksumResponse, iRODSMessage
from irods.session import iRODSSession

from python_rules.engine.transfer.errors import told

_NO_CHECKSUM = -862000  # CAT_NO_CHECKSUM_FOR_REPLICA
_INFO = "info"  # severity of what is no finding: replicas that are stale were passed over


class Findings(NamedTuple):
    """What is wrong, in the server's words, and whether a checksum was there to compare with."""

    wrong: list[str]
    recorded: bool

    @property
    def are_good(self) -> bool:
        return not self.wrong


def verified(session: iRODSSession, path: str, number: int | None = None) -> Findings:
    """Have the server compare every good replica of an object, or the one of this number, with what is recorded."""
    options = {kw.VERIFY_CHKSUM_KW: ""}
    if number is not None:
        options[kw.REPL_NUM_KW] = str(number)
    found = _asked(session, path, options)
    wrong = [one for one in found if one["severity"] != _INFO and one["error_code"] != _NO_CHECKSUM]
    recorded = not any(one["error_code"] == _NO_CHECKSUM for one in found)
    return Findings([str(one["message"]).rstrip(".") for one in wrong], recorded)


def _asked(session: iRODSSession, path: str, options: dict[str, str]) -> list[dict[str, str | int]]:
    """The server's list; python-irodsclient's own ``chksum`` fails on an answer that is one."""
    request = DataObjChksumRequest(path, **options)
    message = iRODSMessage("RODS_API_REQ", msg=request, int_info=api_number["DATA_OBJ_CHKSUM_AN"])
    answers: list[iRODSMessage] = []
    with told(path), session.pool.get_connection() as connection:
        connection.send(message)
        try:
            connection.recv(return_message=answers)
        except CHECK_VERIFICATION_RESULTS:
            return list(json.loads(answers[0].get_main_message(DataObjChksumResponse).myStr))
    return []
