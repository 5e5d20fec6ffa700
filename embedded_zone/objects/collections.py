"""Collections: make, remove, list. Sources: ``rsCollCreate.cpp``, ``rsRmColl.cpp``, chlRegColl, chlDelColl of 5.0.2."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import hooks, lookup, paths, registering, removing
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.model import Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

_INSERT = """insert into R_COLL_MAIN (coll_id, parent_coll_name, coll_name, coll_owner_name, coll_owner_zone,
    coll_map_id, coll_inheritance, coll_type, coll_info1, coll_info2, coll_expiry_ts, r_comment, create_ts, modify_ts)
    values (?,?,?,?,?,0,?,'','','','','',?,?)"""


def make_collection(agent: Agent, request: Request) -> None:
    """Make a collection, with ``recursiveOpr`` its missing parents too. API 681.

    Raises CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME (not when recursive), CAT_NAME_EXISTS_AS_DATAOBJ,
    CAT_UNKNOWN_COLLECTION, CAT_NO_ACCESS_PERMISSION; SYS_INVALID_INPUT_PARAM next to the home collection
    for anyone but a rodsadmin.
    """
    path = _checked(agent, request.path)
    with hooks.about_collection(agent, path):
        hooks.require(agent, "acPreprocForCollCreate")
        if request.has(kw.RECURSIVE):
            made = make_missing(agent, path, "/")
        else:
            made = _make_with_hook(agent, path)
    if made:
        registering.touch_parent(agent, path)


def _checked(agent: Agent, path: str) -> str:
    path = paths.collection(path)
    depth = path.count("/")
    if path == "/" or (depth == 1 and path != f"/{agent.config.zone_name}"):
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "a collection lies in a zone")
    if depth == 2 and not agent.is_admin and lookup.collection_row(agent, path) is None:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "only a rodsadmin makes collections beside home and trash")
    return path


def _make_with_hook(agent: Agent, path: str) -> bool:
    if lookup.visible_collection(agent, path) is not None:
        raise IrodsError(codes.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME, f"{path} exists")
    register(agent, path)
    hooks.static(agent, "acPostProcForCollCreate")
    return True


def make_missing(agent: Agent, path: str, stop: str) -> bool:
    """Make ``path`` and its missing parents below ``stop``; whether anything was made."""
    missing = _missing(agent, path, stop)
    for name in missing:
        register(agent, name)
    return bool(missing)


def make_each(agent: Agent, path: str, stop: str) -> None:
    """As ``make_missing``, each with all hooks of a collection that a client makes (``rsMkCollR``)."""
    for name in _missing(agent, path, stop):
        with hooks.about_collection(agent, name):
            hooks.require(agent, "acPreprocForCollCreate")
            register(agent, name)
            hooks.static(agent, "acPostProcForCollCreate")
        registering.touch_parent(agent, name)


def _missing(agent: Agent, path: str, stop: str) -> list[str]:
    """The collections that are not there, parents first."""
    missing: list[str] = []
    while path not in (stop, "/") and lookup.collection_row(agent, path) is None:
        missing.insert(0, path)
        path = paths.parent(path)
    return missing


def register(agent: Agent, path: str) -> int:
    """The row of a new collection; its creator owns it, or it inherits its parent's rights. Its number."""
    with hooks.database(agent, "reg_coll", hooks.collection_info(path)), agent.db.transaction():
        parent = lookup.collection_for_writing(agent, paths.parent(path))
        if lookup.rows_of(agent, path):
            raise IrodsError(codes.CAT_NAME_EXISTS_AS_DATAOBJ, f"{path} is a data object")
        if lookup.collection_row(agent, path) is not None:
            raise IrodsError(codes.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME, f"{path} exists")
        number, now, inherits = agent.db.next_id(), agent.db.now(), parent["coll_inheritance"] == "1"
        owner = (agent.client.name, agent.client.zone)
        row = (number, paths.parent(path), path, *owner, "1" if inherits else "", now, now)
        agent.db.execute(_INSERT, row)
        if inherits:
            registering.inherit_access(agent, parent["coll_id"], number)
        else:
            registering.give_own(agent, number)
    return number


def remove_collection(agent: Agent, request: Request) -> int:
    """Remove a collection; with ``recursiveOpr`` what is in it too, into the trash unless ``forceFlag``. API 679.

    Answers how many objects went. Raises one of three codes for a missing one (``_missing_code``),
    CAT_COLLECTION_NOT_EMPTY, CAT_NO_ACCESS_PERMISSION.
    """
    path = request.path = paths.collection(request.path)
    if lookup.visible_collection(agent, path) is None:
        raise IrodsError(_missing_code(request), f"{path} does not exist")
    with hooks.about_collection(agent, path):
        hooks.require(agent, "acPreprocForRmColl")
        count = _remove_recursively(agent, request) if request.has(kw.RECURSIVE) else unregister(agent, request)
        hooks.static(agent, "acPostProcForRmColl")
    registering.touch_parent(agent, path)
    return count


def _missing_code(request: Request) -> int:
    """What iRODS 5.0.2 answers to the removal of a collection that is not there depends on the way it was to go."""
    if not request.has(kw.RECURSIVE):
        return codes.CAT_UNKNOWN_COLLECTION
    return codes.USER_FILE_DOES_NOT_EXIST if request.has(kw.FORCE) else codes.CAT_NO_ROWS_FOUND


def _remove_recursively(agent: Agent, request: Request) -> int:
    forced = request.has(kw.FORCE, kw.RMTRASH, kw.ADMIN_RMTRASH) or request.operation == kw.UNREG_OPR
    if forced or not removing.trash_wanted(agent, request):
        return _remove_content(agent, request)
    return _to_trash(agent, request)


def unregister(agent: Agent, request: Request) -> int:
    """Remove an empty collection's row, rights and metadata."""
    path = request.path
    admin = lookup.admin_mode(agent, request)
    name = "del_coll_by_admin" if admin else "del_coll"
    with hooks.database(agent, name, hooks.collection_info(path)), agent.db.transaction():
        row = lookup.collection_row(agent, path)
        if row is None:
            raise IrodsError(codes.CAT_UNKNOWN_COLLECTION, f"collection '{path}' is unknown")
        if not admin:
            lookup.collection_for_writing(agent, paths.parent(path))
            lookup.collection_for_writing(agent, path, access.DELETE_OBJECT)
        if _has_content(agent, path, row["coll_id"]):
            raise IrodsError(codes.CAT_COLLECTION_NOT_EMPTY, f"{path} is not empty")
        agent.db.execute("delete from R_COLL_MAIN where coll_id = ?", (row["coll_id"],))
        registering.forget(agent, row["coll_id"])
    return 1


def _has_content(agent: Agent, path: str, number: int) -> bool:
    sql = """select 1 from R_COLL_MAIN where parent_coll_name = ? and coll_name <> '/'
        union all select 1 from R_DATA_MAIN where coll_id = ? limit 1"""
    return agent.db.one(sql, (path, number)) is not None


def _remove_content(agent: Agent, request: Request) -> int:
    """Remove everything in a collection, then the collection; the first failure is raised after all was tried."""
    path, row = request.path, lookup.collection_row(agent, request.path)
    if row is None:
        raise IrodsError(codes.CAT_UNKNOWN_COLLECTION, f"collection '{path}' is unknown")
    if removing.is_home(agent, path) and _has_content(agent, path, row["coll_id"]):
        raise IrodsError(codes.CANT_RM_NON_EMPTY_HOME_COLL, f"{path} is a home")
    if request.has(kw.RMTRASH, kw.ADMIN_RMTRASH) and not removing.in_trash(agent, path):
        raise IrodsError(codes.SYS_INVALID_FILE_PATH, "not in the trash")
    if removing.younger_than_asked(request, row["modify_ts"]):
        return 0
    count, error = _remove_members(agent, request, row["coll_id"])
    if error is None and not _is_kept(agent, request):
        unregister(agent, request)
    if error is not None:
        raise error
    return count


def _is_kept(agent: Agent, request: Request) -> bool:
    """Emptying the trash leaves the users' trash collections themselves."""
    return request.has(kw.RMTRASH, kw.ADMIN_RMTRASH) and request.path.count("/") <= 4  # /zone/trash/home/user


def _remove_members(agent: Agent, request: Request, number: int) -> tuple[int, IrodsError | None]:
    """Collections first, then objects, as a real server reads them; each is tried."""
    members = agent.db.all("select distinct data_name from R_DATA_MAIN where coll_id = ? order by 1", (number,))
    children = agent.db.all("select coll_name from R_COLL_MAIN where parent_coll_name = ? order by 1", (request.path,))
    # One request for all objects: the hierarchy resolved for the first one serves the others too.
    inner = request.variant(without=(kw.RESC_HIER,))
    inner.keywords[kw.FORCE] = ""
    count, first = 0, None
    for path in (row[0] for row in children):
        try:
            count += _remove_child(agent, inner.variant(path=path, keywords=dict(request.keywords)))
        except IrodsError as error:
            first = first or error
    for name in (row[0] for row in members):
        inner.path = f"{request.path.rstrip('/')}/{name}"
        try:
            removing.unlink(agent, inner)
            count += 1
        except IrodsError as error:
            first = first or error
    return count, first


def _remove_child(agent: Agent, request: Request) -> int:
    hooks.require(agent, "acPreprocForRmColl")
    count = _remove_content(agent, request)
    hooks.static(agent, "acPostProcForRmColl")
    return count


def _to_trash(agent: Agent, request: Request) -> int:
    from embedded_zone.objects import renaming

    removing.check_collection_deletable(agent, request)
    target = removing.trash_path(agent, request.path)
    removing.make_trash_collections(agent, target)
    while True:
        try:
            source = Request(request.path, operation=kw.RENAME_COLL)
            renaming.rename(agent, source, Request(target, operation=kw.RENAME_COLL))
            return 1
        except IrodsError as error:
            if error.code not in removing.NAME_TAKEN:
                raise
            target = f"{removing.trash_path(agent, request.path)}.{secrets.randbelow(10**10)}"
