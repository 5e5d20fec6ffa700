"""Packing through the doors: a collection becomes one object, and a collection again."""

from __future__ import annotations

from pathlib import Path

from irods.session import iRODSSession

from tests.e2e.conftest import Stack, ended
from tests.stack import dataset, rulecall, trees


def test_a_tree_packed_over_rest_and_unpacked_by_a_rule(
    stack: Stack, session: iRODSSession, place: str, tmp_path: Path
) -> None:
    """One object beside the collection; unpacked, it is the same tree, and packing twice is refused."""
    dataset.make(tmp_path, 12, 0)
    trees.put(session, tmp_path, f"{place}/plain")
    given = {"operation": "compress_encrypt", "source": f"{place}/plain", "key": stack.site.key, "pack": True}

    done = stack.done(**given)
    sealed = f"{place}/plain.tar.zst.tink"
    job = rulecall.call_file(
        session, "decrypt_decompress.r", source=sealed, target=f"{place}/back", options="pack=true"
    )["ok"]

    assert done["progress"]["objects_done"] == 1
    assert ended(session, job["id"])["state"] == "succeeded"
    assert trees.digests(session, f"{place}/back") == trees.local_digests(tmp_path)
    again = rulecall.call_file(
        session, "decrypt_decompress.r", source=sealed, target=f"{place}/back", options="pack=true"
    )
    assert again["error"]["code"] == "target_exists"
