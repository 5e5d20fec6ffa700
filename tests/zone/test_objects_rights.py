"""Who may do what to data objects and collections, and the codes that tell them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import irods.keywords as kw
import pytest
from irods import exception as ex
from irods.access import iRODSAccess
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from embedded_zone.server.supervisor import EmbeddedZone
from tests.zone import objects_zone

RODS = "/tempZone/home/rods"


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedZone]:
    with EmbeddedZone(tmp_path_factory.mktemp("zone") / "home") as running:
        with objects_zone.session(running) as opened:
            opened.users.create("alice", "rodsuser")
            opened.collections.create(f"{RODS}/shared")
            opened.acls.set(iRODSAccess("read", RODS, "alice"))
            opened.acls.set(iRODSAccess("read", f"{RODS}/shared", "alice"))
        yield running


@pytest.fixture
def rods(zone: EmbeddedZone) -> Iterator[iRODSSession]:
    with objects_zone.session(zone) as opened:
        yield opened


@pytest.fixture
def alice(zone: EmbeddedZone) -> Iterator[iRODSSession]:
    with objects_zone.session(zone, client_user="alice", client_zone="tempZone") as opened:
        yield opened


def shared(rods: iRODSSession, name: str, level: str = "", content: bytes = b"content") -> str:
    """An object of rods in a collection that alice may read, with a level for her."""
    path = f"{RODS}/shared/{name}"
    with rods.data_objects.open(path, "w") as file:
        file.write(content)
    if level:
        rods.acls.set(iRODSAccess(level, path, "alice"))
    return path


Attempt = Callable[[iRODSSession, str], Any]

WITHOUT_RIGHTS: dict[str, tuple[Attempt, type[Exception]]] = {
    "open r": (lambda s, p: s.data_objects.open(p, "r"), ex.OBJ_PATH_DOES_NOT_EXIST),
    "open w": (lambda s, p: s.data_objects.open(p, "w"), ex.CAT_NO_ACCESS_PERMISSION),
    "get": (lambda s, p: s.data_objects.get(p), ex.DataObjectDoesNotExist),
    "unlink": (lambda s, p: s.data_objects.unlink(p), ex.CAT_NO_ROWS_FOUND),
    "move": (lambda s, p: s.data_objects.move(p, p + "2"), ex.CAT_NO_ROWS_FOUND),
    "chksum": (lambda s, p: s.data_objects.chksum(p), ex.CAT_NO_ROWS_FOUND),
    "copy": (lambda s, p: s.data_objects.copy(p, "/tempZone/home/alice/c"), ex.USER_INPUT_PATH_ERR),
}
WITH_READ: dict[str, tuple[Attempt, type[Exception] | int]] = {
    "open w": (lambda s, p: s.data_objects.open(p, "w"), ex.CAT_NO_ACCESS_PERMISSION),
    "open a": (lambda s, p: s.data_objects.open(p, "a"), ex.CAT_NO_ACCESS_PERMISSION),
    "unlink": (lambda s, p: s.data_objects.unlink(p), ex.CAT_NO_ACCESS_PERMISSION),
    "unlink force": (lambda s, p: s.data_objects.unlink(p, force=True), ex.CAT_NO_ACCESS_PERMISSION),
    "move": (lambda s, p: s.data_objects.move(p, p + "2"), ex.CAT_NO_ACCESS_PERMISSION),
    "chksum": (lambda s, p: s.data_objects.chksum(p), ex.CAT_NO_ACCESS_PERMISSION),
    "touch": (lambda s, p: s.data_objects.touch(p), ex.CAT_NO_ACCESS_PERMISSION),
    "truncate": (lambda s, p: s.data_objects.truncate(p, 0), ex.CAT_NO_ACCESS_PERMISSION),
    "replica_truncate": (lambda s, p: s.data_objects.replica_truncate(p, 0), ex.CAT_NO_ACCESS_PERMISSION),
    "replicate": (lambda s, p: s.data_objects.replicate(p, "demoResc"), -121000),
    "register": (lambda s, p: s.data_objects.register("/etc/hostname", p + "r"), -129000),
    "admin": (
        lambda s, p: s.data_objects.unlink(p, force=True, **{kw.ADMIN_KW: ""}),
        ex.CAT_INSUFFICIENT_PRIVILEGE_LEVEL,
    ),
}


def refused(attempt: Attempt, opened: iRODSSession, path: str, wanted: type[Exception] | int) -> bool:
    """Whether the attempt fails as wanted; python-irodsclient raises KeyError for codes that it does not know."""
    try:
        attempt(opened, path)
    except KeyError as error:
        return error.args[0] == wanted
    except (ex.iRODSException, ex.DoesNotExist) as error:
        return isinstance(wanted, type) and isinstance(error, wanted)
    return False


@pytest.mark.parametrize("name", WITHOUT_RIGHTS)
def test_what_may_not_be_read_does_not_exist(name: str, rods: iRODSSession, alice: iRODSSession) -> None:
    """Strict access control: without read access an object is reported as missing."""
    attempt, wanted = WITHOUT_RIGHTS[name]
    path = shared(rods, "hidden")

    assert refused(attempt, alice, path, wanted)


@pytest.mark.parametrize("name", WITH_READ)
def test_reading_is_not_changing(name: str, rods: iRODSSession, alice: iRODSSession) -> None:
    """With read access an object is visible, and every change is refused."""
    attempt, wanted = WITH_READ[name]
    path = shared(rods, "readable", "read")

    assert refused(attempt, alice, path, wanted)
    with alice.data_objects.open(path, "r") as file:
        assert file.read() == b"content"


def test_a_reader_may_copy(rods: iRODSSession, alice: iRODSSession) -> None:
    """A copy belongs to who made it, and carries no rights of the source."""
    path = shared(rods, "copied", "read")

    alice.data_objects.copy(path, "/tempZone/home/alice/copied")

    assert alice.data_objects.get("/tempZone/home/alice/copied").owner_name == "alice"


def test_a_writer_may_not_remove(rods: iRODSSession, alice: iRODSSession) -> None:
    """modify_object lets content be changed, but not the object removed or renamed."""
    path = shared(rods, "writable", "write")
    with alice.data_objects.open(path, "w") as file:
        file.write(b"by alice")

    for attempt in (lambda: alice.data_objects.unlink(path), lambda: alice.data_objects.move(path, path + "2")):
        with pytest.raises(ex.CAT_NO_ACCESS_PERMISSION):
            attempt()


def test_an_object_in_an_invisible_collection_is_invisible(rods: iRODSSession, alice: iRODSSession) -> None:
    """Read access to the object alone does not help."""
    rods.collections.create(f"{RODS}/private")
    path = f"{RODS}/private/object"
    with rods.data_objects.open(path, "w") as file:
        file.write(b"x")
    rods.acls.set(iRODSAccess("read", path, "alice"))

    with pytest.raises(ex.OBJ_PATH_DOES_NOT_EXIST):
        alice.data_objects.open(path, "r")


def test_creating_needs_the_collection(alice: iRODSSession) -> None:
    """A collection that may only be read takes no new object and no new collection."""
    for attempt in (
        lambda: alice.data_objects.open(f"{RODS}/shared/new", "w"),
        lambda: alice.collections.create(f"{RODS}/shared/newc"),
    ):
        with pytest.raises(ex.CAT_NO_ACCESS_PERMISSION):
            attempt()


def test_only_an_administrator_makes_collections_beside_home(rods: iRODSSession, alice: iRODSSession) -> None:
    """``/zone/x`` is refused to users with SYS_INVALID_INPUT_PARAM, and made for a rodsadmin."""
    with pytest.raises(ex.SYS_INVALID_INPUT_PARAM):
        alice.collections.create("/tempZone/alices")

    rods.collections.create("/tempZone/sluice")

    assert not alice.collections.exists("/tempZone/sluice")


def test_rights_are_inherited_by_new_objects_only(rods: iRODSSession, alice: iRODSSession) -> None:
    """``inherit`` covers what is made in a collection later, not what is moved into it."""
    rods.collections.create(f"{RODS}/shared/heir")
    rods.acls.set(iRODSAccess("read", f"{RODS}/shared/heir", "alice"))
    rods.acls.set(iRODSAccess("inherit", f"{RODS}/shared/heir"))
    moved = shared(rods, "moved_in")
    rods.data_objects.move(moved, f"{RODS}/shared/heir/moved_in")
    with rods.data_objects.open(f"{RODS}/shared/heir/made", "w") as file:
        file.write(b"x")
    rods.collections.create(f"{RODS}/shared/heir/sub")

    assert alice.data_objects.exists(f"{RODS}/shared/heir/made")
    assert alice.collections.exists(f"{RODS}/shared/heir/sub")
    assert not alice.data_objects.exists(f"{RODS}/shared/heir/moved_in")


def test_an_operation_type_opens_no_door(zone: EmbeddedZone, rods: iRODSSession, alice: iRODSSession) -> None:
    """Operation types that servers use among themselves give a client no rights."""
    path = shared(rods, "guarded", "read")

    for operation in range(30):
        with pytest.raises(ex.CAT_NO_ACCESS_PERMISSION):
            alice.data_objects.open(path, "w", **{kw.OPR_TYPE_KW: operation})


@pytest.mark.parametrize(
    "path", ["/tempZone/home/alice/../rods/x", "/tempZone/home/alice/./x", "/tempZone/home/alice/a/.."]
)
def test_paths_cannot_leave_the_vault(path: str, alice: iRODSSession) -> None:
    """``.`` and ``..`` in a path are refused before anything is made."""
    with pytest.raises((ex.SYS_INVALID_INPUT_PARAM, ex.USER_INPUT_PATH_ERR)):
        alice.data_objects.open(path, "w")


def test_names_and_paths_have_limits(alice: iRODSSession, tmp_path: Path) -> None:
    """255 bytes make a name, 256 fail in the vault and leave nothing; 1,088 bytes are no path."""
    home = "/tempZone/home/alice"
    with alice.data_objects.open(f"{home}/{'n' * 255}", "w") as file:
        file.write(b"x")
    with pytest.raises(ex.UNIX_FILE_CREATE_ERR) as failure:
        alice.data_objects.open(f"{home}/{'n' * 256}", "w")
    assert failure.value.code == -511036
    assert not alice.data_objects.exists(f"{home}/{'n' * 256}")
    with pytest.raises(ex.USER_PACKSTRUCT_INPUT_ERR):
        alice.data_objects.open(f"{home}/{'n/' * 540}x", "w")


ERRORS: dict[str, tuple[Attempt, type[Exception] | int]] = {
    "missing r": (lambda s, h: s.data_objects.open(f"{h}/no", "r"), ex.OBJ_PATH_DOES_NOT_EXIST),
    "missing unlink": (lambda s, h: s.data_objects.unlink(f"{h}/no"), ex.CAT_NO_ROWS_FOUND),
    "missing move": (lambda s, h: s.data_objects.move(f"{h}/no", f"{h}/no2"), ex.CAT_NO_ROWS_FOUND),
    "missing collection": (lambda s, h: s.data_objects.open(f"{h}/no/x", "w"), ex.CAT_UNKNOWN_COLLECTION),
    "remove missing collection": (lambda s, h: s.collections.remove(f"{h}/no"), ex.CAT_NO_ROWS_FOUND),
    "remove it for good": (lambda s, h: s.collections.remove(f"{h}/no", force=True), ex.USER_FILE_DOES_NOT_EXIST),
    "remove it alone": (lambda s, h: s.collections.remove(f"{h}/no", recurse=False), ex.CAT_UNKNOWN_COLLECTION),
    "move to missing": (lambda s, h: s.data_objects.move(f"{h}/one", f"{h}/no/x"), ex.CAT_UNKNOWN_COLLECTION),
    "move onto": (lambda s, h: s.data_objects.move(f"{h}/one", f"{h}/two"), ex.CAT_NAME_EXISTS_AS_DATAOBJ),
    "copy onto": (lambda s, h: s.data_objects.copy(f"{h}/one", f"{h}/two"), ex.OVERWRITE_WITHOUT_FORCE_FLAG),
    "write a collection": (lambda s, h: s.data_objects.open(h, "w"), ex.CAT_NAME_EXISTS_AS_COLLECTION),
    "collection over object": (lambda s, h: s.collections.create(f"{h}/one"), ex.CAT_NAME_EXISTS_AS_DATAOBJ),
    "register existing": (
        lambda s, h: s.data_objects.register("/etc/hostname", f"{h}/one"),
        ex.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME,
    ),
    "register missing": (lambda s, h: s.data_objects.register("/no/file", f"{h}/reg"), ex.UNIX_FILE_STAT_ERR),
    "unknown resource": (
        lambda s, h: s.data_objects.open(f"{h}/x", "w", **{kw.RESC_NAME_KW: "noResc"}),
        ex.SYS_RESC_DOES_NOT_EXIST,
    ),
    "into itself": (lambda s, h: s.collections.move(f"{h}/col", f"{h}/col/col"), ex.CAT_RECURSIVE_MOVE),
    "into itself renamed": (lambda s, h: s.collections.move(f"{h}/col", f"{h}/col/deep"), ex.CAT_UNKNOWN_COLLECTION),
    "not empty": (lambda s, h: s.collections.remove(h, recurse=False), ex.CAT_COLLECTION_NOT_EMPTY),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_those_of_a_real_zone(name: str, rods: iRODSSession) -> None:
    """The codes that iRODS 5.0.2 gave for the same mistakes."""
    attempt, wanted = ERRORS[name]
    home = f"{RODS}/errors"
    rods.collections.create(f"{home}/col")
    for one in ("one", "two"):
        if not rods.data_objects.exists(f"{home}/{one}"):
            rods.data_objects.create(f"{home}/{one}")

    assert refused(attempt, rods, home, wanted)
    assert rods.data_objects.exists(f"{home}/one")
    assert rods.collections.exists(f"{home}/col")


def test_removing_a_collection_goes_to_the_trash(rods: iRODSSession) -> None:
    """Without force everything lies in the trash afterwards, with its rights; with force it is gone."""
    rods.collections.create(f"{RODS}/bin/sub")
    rods.data_objects.create(f"{RODS}/bin/sub/object")

    rods.collections.remove(f"{RODS}/bin", recurse=True, force=False)

    assert rods.data_objects.exists("/tempZone/trash/home/rods/bin/sub/object")
    rods.collections.remove("/tempZone/trash/home/rods/bin", recurse=True, force=True)
    assert not rods.collections.exists("/tempZone/trash/home/rods/bin")


def test_removing_the_last_replica_forgets_rights_and_metadata(zone: EmbeddedZone, rods: iRODSSession) -> None:
    """Nothing of a removed object stays in the catalogue, and its file is gone."""
    path = shared(rods, "forgotten", "read")
    item = rods.data_objects.get(path)
    item.metadata.add("a", "v")
    file = Path(item.replicas[0].path)

    rods.data_objects.unlink(path, force=True)

    assert not file.exists()
    assert not list(rods.query(DataObject.id).filter(DataObject.id == item.id))
    assert list(rods.query(Collection.id).filter(Collection.name == f"{RODS}/shared"))
