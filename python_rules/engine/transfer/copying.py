"""Copies that the server itself makes, and collections made after the model of others."""

from __future__ import annotations

import irods.keywords as kw

from python_rules import names
from python_rules.engine.pipeline import Passed
from python_rules.engine.transfer import queries
from python_rules.engine.transfer.errors import told
from python_rules.engine.transfer.trees import TreeZone
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.jobs.record import Avu

# A copy of a collection does not begin to work on what arrives there, and is no result of the job that made its model.
_STAYS = (names.POLICY_ATTRIBUTE, names.MADE_BY_ATTRIBUTE, names.REPLICA, names.REPLICA_OF, "sluice::source")


def copy(zone: Zone, source: SourceObject, hidden: str) -> Passed:
    """Have the server copy an object; the sizes and hashes are the source's, for ``Zone.verify`` to compare with."""
    # who may only read an object cannot have its checksum registered
    known = source.checksum if source.checksum.startswith("sha2:") else zone.sha256_of(source.path, source.size)
    with told(source.path):
        zone.session.data_objects.copy(source.path, hidden, **{kw.REG_CHKSUM_KW: ""})
    return Passed(source.size, known, source.size, known)


def checksum_of(zone: Zone, path: str) -> str:
    """The checksum that is recorded of an object's good replica; '' if there is none."""
    with told(path):
        found = queries.replicas(zone.session, path)
    return next((one.checksum for one in found if one.status == queries.GOOD), "")


def dress_collections(zone: TreeZone, listing: Listing, target: str) -> None:
    """Give the collections of a copy the metadata and access rights of their models, where they lack them."""
    for name in ("", *listing.collections):
        model, made = (f"{root}/{name}".rstrip("/") for root in (listing.source, target))
        avus = [avu for avu in zone.collection_avus(model) if avu[0] not in _STAYS]
        add_missing(zone, made, avus)
        zone.copy_collection_access(model, made)


def add_missing(zone: TreeZone, collection: str, avus: list[Avu]) -> None:
    """Give a collection those AVUs that it does not have."""
    there = set(zone.collection_avus(collection))
    zone.dress_collection(collection, [avu for avu in avus if avu not in there])
