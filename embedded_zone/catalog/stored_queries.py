"""The specific queries of a new catalogue: ``alias -> SQL``.

Source: icatSysInserts.sql and database_upgrade.py of iRODS 5.0.2. Where they are written for PostgreSQL alone (an array
comparison, a nested ON) the equivalent standard form stands here.
"""

from __future__ import annotations

STORED_QUERIES: dict[str, str] = {
    "ls": "select alias, sqlStr from R_SPECIFIC_QUERY",
    "lsl": "select alias, sqlStr from R_SPECIFIC_QUERY where sqlStr like ?",
    "ShowCollAcls": (
        "select distinct R_USER_MAIN.user_name, R_USER_MAIN.zone_name, R_TOKN_MAIN.token_name, "
        "R_USER_MAIN.user_type_name from R_USER_MAIN, R_TOKN_MAIN, R_OBJT_ACCESS, R_COLL_MAIN where "
        "R_OBJT_ACCESS.object_id = R_COLL_MAIN.coll_id AND R_COLL_MAIN.coll_name = ? AND "
        "R_TOKN_MAIN.token_namespace = 'access_type' AND R_USER_MAIN.user_id = R_OBJT_ACCESS.user_id AND "
        "R_OBJT_ACCESS.access_type_id = R_TOKN_MAIN.token_id"
    ),
    "listQueryByAliasLike": "SELECT alias, sqlStr FROM R_SPECIFIC_QUERY WHERE alias LIKE ?",
    "findQueryByAlias": "SELECT alias, sqlStr FROM R_SPECIFIC_QUERY WHERE alias = ?",
    "ilsLACollections": (
        "SELECT c.parent_coll_name, c.coll_name, c.create_ts, c.modify_ts, c.coll_id, c.coll_owner_name, "
        "c.coll_owner_zone, c.coll_type, u.user_name, u.zone_name, a.access_type_id, u.user_id FROM R_COLL_MAIN c "
        "JOIN R_OBJT_ACCESS a ON c.coll_id = a.object_id JOIN R_USER_MAIN u ON a.user_id = u.user_id WHERE "
        "c.parent_coll_name = ? ORDER BY c.coll_name, u.user_name, a.access_type_id DESC LIMIT ? OFFSET ?"
    ),
    "ilsLADataObjects": (
        "SELECT s.coll_name, s.data_name, s.create_ts, s.modify_ts, s.data_id, s.data_size, s.data_repl_num, "
        "s.data_owner_name, s.data_owner_zone, u.user_name, u.user_id, a.access_type_id, u.user_type_name, "
        "u.zone_name FROM ( SELECT c.coll_name, d.data_name, d.create_ts, d.modify_ts, d.data_id, "
        "d.data_repl_num, d.data_size, d.data_owner_name, d.data_owner_zone FROM R_COLL_MAIN c JOIN R_DATA_MAIN d "
        "ON c.coll_id = d.coll_id WHERE c.coll_name = ? ORDER BY d.data_name) s JOIN R_OBJT_ACCESS a ON s.data_id "
        "= a.object_id JOIN R_USER_MAIN u ON a.user_id = u.user_id ORDER BY s.coll_name, s.data_name, "
        "u.user_name, a.access_type_id DESC LIMIT ? OFFSET ?"
    ),
    "listSharedCollectionsOwnedByUser": (
        "SELECT DISTINCT R_COLL_MAIN.coll_id, R_COLL_MAIN.parent_coll_name, R_COLL_MAIN.coll_name, "
        "R_COLL_MAIN.coll_owner_name, R_COLL_MAIN.coll_owner_zone, R_META_MAIN.meta_attr_name, "
        "R_META_MAIN.meta_attr_value, R_META_MAIN.meta_attr_unit FROM R_COLL_MAIN JOIN R_OBJT_METAMAP ON "
        "R_COLL_MAIN.coll_id = R_OBJT_METAMAP.object_id JOIN R_META_MAIN ON R_OBJT_METAMAP.meta_id = "
        "R_META_MAIN.meta_id WHERE R_META_MAIN.meta_attr_unit = 'iRODSUserTagging:Share' AND "
        "R_COLL_MAIN.coll_owner_name = ? AND R_COLL_MAIN.coll_owner_zone = ? ORDER BY "
        "R_COLL_MAIN.parent_coll_name ASC, R_COLL_MAIN.coll_name ASC"
    ),
    "listSharedCollectionsSharedWithUser": (
        "SELECT DISTINCT R_COLL_MAIN.coll_id, R_COLL_MAIN.parent_coll_name, R_COLL_MAIN.coll_name, "
        "R_COLL_MAIN.coll_owner_name, R_COLL_MAIN.coll_owner_zone, R_META_MAIN.meta_attr_name, "
        "R_META_MAIN.meta_attr_value, R_META_MAIN.meta_attr_unit, R_USER_MAIN.user_name, R_USER_MAIN.zone_name, "
        "R_OBJT_ACCESS.access_type_id FROM R_COLL_MAIN JOIN R_OBJT_METAMAP ON R_COLL_MAIN.coll_id = "
        "R_OBJT_METAMAP.object_id JOIN R_META_MAIN ON R_OBJT_METAMAP.meta_id = R_META_MAIN.meta_id JOIN "
        "R_OBJT_ACCESS ON R_COLL_MAIN.coll_id = R_OBJT_ACCESS.object_id JOIN R_USER_MAIN ON R_OBJT_ACCESS.user_id "
        "= R_USER_MAIN.user_id WHERE R_META_MAIN.meta_attr_unit = 'iRODSUserTagging:Share' AND "
        "R_USER_MAIN.user_name = ? AND R_USER_MAIN.zone_name = ? AND R_COLL_MAIN.coll_owner_name <> ? ORDER BY "
        "R_COLL_MAIN.parent_coll_name ASC, R_COLL_MAIN.coll_name ASC"
    ),
    "listUserACLForDataObjViaGroup": (
        "SELECT R_USER_MAIN.user_name, R_USER_MAIN.user_id, R_OBJT_ACCESS.access_type_id, "
        "R_USER_MAIN.user_type_name, R_USER_MAIN.zone_name, R_COLL_MAIN.coll_name, R_DATA_MAIN.data_name, "
        "USER_GROUP_MAIN.user_name, R_DATA_MAIN.data_name, R_COLL_MAIN.coll_name FROM R_USER_MAIN AS "
        "USER_GROUP_MAIN JOIN R_USER_GROUP ON USER_GROUP_MAIN.user_id = R_USER_GROUP.group_user_id JOIN "
        "R_USER_MAIN ON R_USER_GROUP.user_id = R_USER_MAIN.user_id JOIN R_OBJT_ACCESS ON "
        "R_USER_GROUP.group_user_id = R_OBJT_ACCESS.user_id JOIN R_DATA_MAIN ON R_OBJT_ACCESS.object_id = "
        "R_DATA_MAIN.data_id JOIN R_COLL_MAIN ON R_DATA_MAIN.coll_id = R_COLL_MAIN.coll_id WHERE "
        "R_COLL_MAIN.coll_name = ? AND R_DATA_MAIN.data_name = ? AND R_USER_MAIN.user_name = ? ORDER BY "
        "R_COLL_MAIN.coll_name, R_DATA_MAIN.data_name, R_USER_MAIN.user_name, R_OBJT_ACCESS.access_type_id DESC"
    ),
    "listUserACLForCollectionViaGroup": (
        "SELECT R_USER_MAIN.user_name, R_USER_MAIN.user_id, R_OBJT_ACCESS.access_type_id, "
        "R_USER_MAIN.user_type_name, R_USER_MAIN.zone_name, R_COLL_MAIN.coll_name, USER_GROUP_MAIN.user_name, "
        "R_COLL_MAIN.coll_name FROM R_USER_MAIN AS USER_GROUP_MAIN JOIN R_USER_GROUP ON USER_GROUP_MAIN.user_id = "
        "R_USER_GROUP.group_user_id JOIN R_USER_MAIN ON R_USER_GROUP.user_id = R_USER_MAIN.user_id JOIN "
        "R_OBJT_ACCESS ON R_USER_GROUP.group_user_id = R_OBJT_ACCESS.user_id JOIN R_COLL_MAIN ON "
        "R_OBJT_ACCESS.object_id = R_COLL_MAIN.coll_id WHERE R_COLL_MAIN.coll_name = ? AND R_USER_MAIN.user_name "
        "= ? ORDER BY R_COLL_MAIN.coll_name, R_USER_MAIN.user_name, R_OBJT_ACCESS.access_type_id DESC"
    ),
    "DataObjInCollReCur": (
        "WITH coll AS (SELECT coll_id, coll_name FROM R_COLL_MAIN WHERE R_COLL_MAIN.coll_name = ? OR "
        "R_COLL_MAIN.coll_name LIKE ?) SELECT DISTINCT d.data_id, (SELECT coll_name FROM coll WHERE coll.coll_id "
        "= d.coll_id) coll_name, d.data_name, d.data_repl_num, d.resc_name, d.data_path, d.resc_id FROM "
        "R_DATA_MAIN d WHERE d.coll_id IN (SELECT coll_id FROM coll) ORDER BY coll_name, d.data_name, "
        "d.data_repl_num"
    ),
    "listGroupsForUser": (
        "select group_user_id, user_name from R_USER_GROUP ug inner join R_USER_MAIN u on ug.group_user_id = "
        "u.user_id where user_type_name = 'rodsgroup' and ug.user_id = (select user_id from R_USER_MAIN where "
        "user_name = ? and user_type_name != 'rodsgroup')"
    ),
}
