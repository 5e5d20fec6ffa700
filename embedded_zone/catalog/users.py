"""Users and groups: creating, removing, modifying, memberships (APIs 701 and 714).

A rodsadmin may do all of it; a groupadmin may create users and groups, set a new user's first password, and
manage groups of which it is a member (or that are empty).
"""

from __future__ import annotations

from collections.abc import Callable

from embedded_zone.agent import LOCAL_PRIV_USER_AUTH, Agent
from embedded_zone.catalog import collections_by_admin, entities, hooks, passwords
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

USER_TYPES = ("rodsadmin", "rodsuser", "groupadmin", "rodsgroup")
GROUP = "rodsgroup"
ANONYMOUS = "anonymous"  # gets neither a home nor a membership

_TYPE_OF = "select user_type_name from R_USER_MAIN where user_name = ? and zone_name = ?"
_TABLES_BY_USER = {
    "R_USER_MAIN": "user_id",
    "R_USER_PASSWORD": "user_id",
    "R_OBJT_ACCESS": "user_id",
    "R_USER_AUTH": "user_id",
    "R_OBJT_METAMAP": "object_id",
}


def is_full_admin(agent: Agent) -> bool:
    """Whether both the client and its proxy are rodsadmins of this zone."""
    return min(agent.client.auth_flag, agent.proxy.auth_flag) >= LOCAL_PRIV_USER_AUTH


def is_group_admin(agent: Agent, group: str = "") -> bool:
    """Whether the client is a groupadmin and, if a group is named, a member of it."""
    if agent.client.user_type != "groupadmin":
        return False
    sql = """select 1 from R_USER_GROUP G join R_USER_MAIN U on G.group_user_id = U.user_id
        where G.user_id = ? and U.user_name = ? and U.user_type_name = 'rodsgroup'"""
    return not group or agent.db.value(sql, (agent.client.user_id, group)) is not None


def require_user_admin(agent: Agent) -> None:
    """Raise CAT_INSUFFICIENT_PRIVILEGE_LEVEL unless the client may create users."""
    if not is_full_admin(agent) and not is_group_admin(agent):
        raise IrodsError(codes.CAT_INSUFFICIENT_PRIVILEGE_LEVEL, "neither rodsadmin nor groupadmin")


def type_of(agent: Agent, name: str, zone: str = "") -> str | None:
    """The user type of a user or group, None if there is none of that name."""
    found: str | None = agent.db.value(_TYPE_OF, (name, zone or agent.config.zone_name))
    return found


def _refuse(agent: Agent, code: int, message: str) -> IrodsError:
    """An error whose text the client is told too."""
    agent.r_error.append((code, message))
    return IrodsError(code, message)


def _agreed_zone(text: str, zone: str) -> tuple[str, str]:
    """Name and zone of ``name[#zone]`` and a zone given beside it; they must not contradict each other."""
    name, own_zone = entities.parse_user_name(text)
    if zone and own_zone and zone != own_zone:
        raise IrodsError(codes.CAT_INVALID_ZONE, f"{text} is not in zone {zone}")
    return name, own_zone or zone


def create(agent: Agent, text: str, kind: str, zone: str = "", auth_name: str = "") -> None:
    """Create a user or group with what belongs to it: home and trash collections, membership in ``public``."""
    if kind not in USER_TYPES:
        raise IrodsError(codes.CAT_INVALID_USER_TYPE, f"no user type {kind!r}")
    name, zone = _agreed_zone(text, zone)
    local = agent.config.zone_name
    if kind == GROUP and zone not in ("", local):
        raise _refuse(agent, codes.SYS_NOT_ALLOWED, "groups cannot be made for a remote zone")
    shown = name if zone in ("", local) else f"{name}#{zone}"
    with hooks.about_user(agent, shown, zone, kind) as info:
        hooks.fire(agent, "acCreateUser")
        hooks.fire(agent, "acPreProcForCreateUser")
        with agent.db.transaction():
            _register(agent, name, zone or local, kind, auth_name, info)
            if name != ANONYMOUS:
                _furnish(agent, shown, zone, kind)
        hooks.commit(agent)
        hooks.fire(agent, "acPostProcForCreateUser")


def _register(agent: Agent, name: str, zone: str, kind: str, auth_name: str, info: hooks.Structure) -> None:
    with hooks.database(agent, "reg_user_re", info):
        require_user_admin(agent)
        db, now = agent.db, agent.db.now()
        if db.value("select 1 from R_ZONE_MAIN where zone_name = ?", (zone,)) is None:
            raise _refuse(agent, codes.CAT_INVALID_ZONE, f"zone '{zone}' does not exist")
        number = db.next_id()
        try:
            db.execute(
                "insert into R_USER_MAIN values (?, ?, ?, ?, '', '', ?, ?)", (number, name, kind, zone, now, now)
            )
        except IrodsError as error:
            agent.r_error.append((0, f"Error {error.code} {codes.name_of(error.code)}"))
            raise
        db.execute("insert into R_USER_GROUP values (?, ?, ?, ?)", (number, number, now, now))
        if auth_name:
            db.execute("insert into R_USER_AUTH values (?, ?, ?)", (number, auth_name, now))


def _furnish(agent: Agent, shown: str, zone: str, kind: str) -> None:
    for parent in _home_parents(agent):
        collections_by_admin.create(agent, f"{parent}/{shown}", shown)
    if kind != GROUP:
        _change_membership(agent, "public", "add", shown, zone)


def _home_parents(agent: Agent) -> tuple[str, str]:
    zone = agent.config.zone_name
    return f"/{zone}/home", f"/{zone}/trash/home"


def remove(agent: Agent, text: str, zone: str = "") -> None:
    """Remove a user or group with its empty home and trash; a home that is not empty stops it."""
    name, zone = _agreed_zone(text, zone)
    zone = zone or agent.config.zone_name
    if any((name, zone) == (who.name, who.zone) for who in (agent.client, agent.proxy)):
        raise _refuse(agent, codes.SYS_NOT_ALLOWED, "cannot remove currently authenticated client or proxy user")
    shown = name if zone == agent.config.zone_name else f"{name}#{zone}"
    with hooks.about_user(agent, shown, zone) as info:
        hooks.fire(agent, "acDeleteUser")
        hooks.fire(agent, "acPreProcForDeleteUser")
        with agent.db.transaction():
            for parent in _home_parents(agent):
                collections_by_admin.remove_if_present(agent, f"{parent}/{shown}")
            _unregister(agent, name, zone, info)
        hooks.commit(agent)
        hooks.fire(agent, "acPostProcForDeleteUser")


def _unregister(agent: Agent, name: str, zone: str, info: hooks.Structure) -> None:
    with hooks.database(agent, "del_user_re", info):
        if not is_full_admin(agent):
            raise IrodsError(codes.CAT_INSUFFICIENT_PRIVILEGE_LEVEL, "only rodsadmins remove users")
        number = entities.find_user(agent, name, zone)
        if number is None:
            agent.r_error.append((0, "Invalid user"))
            raise IrodsError(codes.CAT_INVALID_USER, f"user {name}#{zone} is unknown")
        for table, column in _TABLES_BY_USER.items():
            agent.db.execute(f"delete from {table} where {column} = ?", (number,))  # noqa: S608  names of ours
        agent.db.execute("delete from R_USER_GROUP where user_id = ? or group_user_id = ?", (number, number))


# --- memberships


def modify_group(agent: Agent, group: str, option: str, user: str, zone: str = "") -> None:
    """Add a user to a group or remove it (option ``add`` or ``remove``), with all hooks."""
    with (
        hooks.about_user(agent, user, zone),
        hooks.framed(agent, "ModifyUserGroup", group, option, user, zone),
    ):
        _change_membership(agent, group, option, user, zone)


def _change_membership(agent: Agent, group: str, option: str, user: str, zone: str) -> None:
    with hooks.database(agent, "mod_group", group, option, user, zone):
        if not group or not option or not user:
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, "group, option and user are needed")
        _require_group_rights(agent, group, option)
        name, own_zone = entities.parse_user_name(user)
        user_id = _member_id(agent, name, own_zone or zone)
        group_id = _group_id(agent, group)
        change = _MEMBERSHIP.get(option)
        if change is None:
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"no group option {option!r}")
        with agent.db.transaction():
            change(agent, group_id, user_id)


def _require_group_rights(agent: Agent, group: str, option: str) -> None:
    if is_full_admin(agent) or is_group_admin(agent, group):
        return
    if not (option == "add" and is_group_admin(agent) and _is_empty(agent, group)):
        raise IrodsError(codes.CAT_INSUFFICIENT_PRIVILEGE_LEVEL, f"may not change group {group}")


def _is_empty(agent: Agent, group: str) -> bool:
    sql = """select count(*) from R_USER_GROUP G join R_USER_MAIN U on G.group_user_id = U.user_id
        where U.user_name = ? and U.user_type_name = 'rodsgroup' and G.user_id != G.group_user_id"""
    return not agent.db.value(sql, (group,))


def _member_id(agent: Agent, name: str, zone: str) -> int:
    if type_of(agent, name, zone) == GROUP:
        raise IrodsError(codes.CAT_INVALID_USER, f"{name} is a group")
    return entities.user_id(agent, name, zone)


def _group_id(agent: Agent, group: str) -> int:
    if type_of(agent, group) != GROUP:
        raise IrodsError(codes.CAT_INVALID_GROUP, f"group {group} is unknown")
    return entities.user_id(agent, group)


def _join(agent: Agent, group_id: int, user_id: int) -> None:
    now = agent.db.now()
    agent.db.execute("insert into R_USER_GROUP values (?, ?, ?, ?)", (group_id, user_id, now, now))


def _leave(agent: Agent, group_id: int, user_id: int) -> None:
    sql = "delete from R_USER_GROUP where group_user_id = ? and user_id = ?"
    if agent.db.execute(sql, (group_id, user_id)).rowcount == 0:
        raise IrodsError(codes.USER_NOT_IN_GROUP, "the user is not in the group")


_MEMBERSHIP: dict[str, Callable[[Agent, int, int], None]] = {"add": _join, "remove": _leave}


# --- modifying a user


def modify(agent: Agent, text: str, option: str, value: str) -> None:
    """Change one property of a user (``iadmin moduser``): type, comment, info, password, addAuth, rmAuth, rmPamPw."""
    name, zone = entities.parse_user_name(text)
    kind = type_of(agent, name, zone)
    if kind is None:
        raise IrodsError(codes.CAT_INVALID_USER, f"user {text} does not exist")
    if kind == GROUP:
        raise _refuse(
            agent, codes.SYS_NOT_ALLOWED, "Error: Using 'modify' with 'user' and type 'rodsgroup' is not allowed."
        )
    if option == "type":
        _check_new_type(agent, name, value)
    with hooks.framed(agent, "ModifyUser", text, option, "obfuscatedPw"):
        change(agent, text, option, value)


def _check_new_type(agent: Agent, name: str, kind: str) -> None:
    if kind != "rodsadmin" and name == agent.config.zone_user:
        message = (
            f"Cannot downgrade another rodsadmin [{name}] running another server [{agent.config.host}] in this zone."
        )
        raise _refuse(agent, codes.SYS_NOT_ALLOWED, message)
    if kind not in USER_TYPES:
        raise IrodsError(codes.CAT_INVALID_USER_TYPE, "user type is not recognized")
    if kind == GROUP:
        raise _refuse(agent, codes.SYS_NOT_ALLOWED, "a user cannot be changed to a group")


def change(agent: Agent, text: str, option: str, value: str) -> None:
    """What ``modify`` does between its static hooks; ipasswd and mkuser come here too."""
    with hooks.database(agent, "mod_user", text, option, value):
        if not text or not option or (not value and option in ("type", "zone", "addAuth", "rmAuth")):
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, "an argument is empty")
        only_first = _change_rights(agent, text, option)
        name, zone = entities.parse_user_name(text)
        zone = zone or agent.config.zone_name
        with agent.db.transaction():
            if option == "password":
                passwords.change(agent, name, zone, value, only_first=only_first)
            else:
                _set_property(agent, name, zone, option, value)


def _change_rights(agent: Agent, text: str, option: str) -> bool:
    """Whether only a first password may be set; raises if nothing may."""
    if is_full_admin(agent):
        return False
    if option == "password" and text == agent.client.name:
        return False
    if option == "password" and is_group_admin(agent):
        return True
    raise IrodsError(codes.CAT_INSUFFICIENT_PRIVILEGE_LEVEL, f"may not change {option} of {text}")


_COLUMNS = {
    "type": "user_type_name",
    "user_type_name": "user_type_name",
    "info": "user_info",
    "user_info": "user_info",
    "comment": "r_comment",
    "r_comment": "r_comment",
}


def _set_property(agent: Agent, name: str, zone: str, option: str, value: str) -> None:
    db, number = agent.db, entities.user_id(agent, name, zone)
    if option in _COLUMNS:
        column = _COLUMNS[option]
        if column == "user_type_name" and value not in USER_TYPES:
            agent.r_error.append((0, f"user_type '{value}' is not valid"))
            raise IrodsError(codes.CAT_INVALID_USER_TYPE, f"no user type {value!r}")
        sql = f"update R_USER_MAIN set {column} = ?, modify_ts = ? where user_id = ?"  # noqa: S608  a name of ours
        db.execute(sql, (value, db.now(), number))
    elif option == "addAuth":
        _add_auth(agent, number, value)
    elif option == "rmAuth":
        _expect(
            db.execute("delete from R_USER_AUTH where user_id = ? and user_auth_name = ?", (number, value)).rowcount
        )
    elif option.startswith("rmPamPw"):
        _expect(passwords.remove_temporary(agent, number))
    else:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"no user option {option!r}")


def _add_auth(agent: Agent, number: int, value: str) -> None:
    known = "select 1 from R_USER_AUTH where user_id = ? and user_auth_name = ?"
    if agent.db.value(known, (number, value)) is None:
        agent.db.execute("insert into R_USER_AUTH values (?, ?, ?)", (number, value, agent.db.now()))


def _expect(rows: int) -> None:
    if rows == 0:
        raise IrodsError(codes.CAT_SUCCESS_BUT_WITH_NO_INFO, "nothing changed")
