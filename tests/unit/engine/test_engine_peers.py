"""Every format and every tool of others, in both directions, at sizes around the edges of the format."""

from __future__ import annotations

import pytest

from . import peers


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: f"{peer.format}-{peer.tool}")
def test_a_peer_reads_ours_and_we_read_its(peer: peers.Peer, workers) -> None:
    """Whatever the tool can do with the format comes back unchanged, as docs/peers/formats.md says."""
    found = peers.verdicts(peer, workers, peers.samples(peer.format))
    assert peers.NO not in found
    assert peers.row(peer, found) in peers.PAGE.read_text(encoding="utf-8").splitlines()


def test_every_format_has_a_peer() -> None:
    """No format is only ours."""
    assert {peer.format for peer in peers.PEERS} == {*peers.READERS, *peers.ENCRYPTIONS, "tar"}
