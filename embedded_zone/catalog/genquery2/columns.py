"""The columns of GenQuery2: ``name -> (table, column)``.

Source: genquery2_table_column_mappings.hpp of iRODS 5.0.2. DATA_RESC_HIER has no table: it is computed.
"""

from __future__ import annotations

_BY_TABLE: dict[str, str] = {
    "R_ZONE_MAIN": (
        "ZONE_ID=zone_id ZONE_NAME=zone_name ZONE_TYPE=zone_type_name ZONE_CONNECTION=zone_conn_string "
        "ZONE_COMMENT=r_comment ZONE_CREATE_TIME=create_ts ZONE_MODIFY_TIME=modify_ts"
    ),
    "R_USER_MAIN": (
        "USER_ID=user_id USER_NAME=user_name USER_TYPE=user_type_name USER_ZONE=zone_name USER_INFO=user_info "
        "USER_COMMENT=r_comment USER_CREATE_TIME=create_ts USER_MODIFY_TIME=modify_ts USER_DN_INVALID=r_comment "
        "DATA_ACCESS_USER_NAME=user_name DATA_ACCESS_USER_ZONE=zone_name COLL_ACCESS_USER_NAME=user_name "
        "COLL_ACCESS_USER_ZONE=zone_name"
    ),
    "R_USER_AUTH": "USER_AUTH_ID=user_id USER_DN=user_auth_name",
    "R_RESC_MAIN": (
        "RESC_ID=resc_id RESC_NAME=resc_name RESC_ZONE_NAME=zone_name RESC_TYPE_NAME=resc_type_name "
        "RESC_CLASS_NAME=resc_class_name RESC_HOSTNAME=resc_net RESC_VAULT_PATH=resc_def_path "
        "RESC_FREE_SPACE=free_space RESC_FREE_SPACE_TIME=free_space_ts RESC_INFO=resc_info RESC_COMMENT=r_comment "
        "RESC_STATUS=resc_status RESC_CREATE_TIME=create_ts RESC_MODIFY_TIME=modify_ts "
        "RESC_MODIFY_TIME_MILLIS=modify_ts_millis RESC_CHILDREN=resc_children RESC_CONTEXT=resc_context "
        "RESC_PARENT_ID=resc_parent RESC_PARENT_CONTEXT=resc_parent_context"
    ),
    "R_DATA_MAIN": (
        "DATA_ID=data_id DATA_COLL_ID=coll_id DATA_NAME=data_name DATA_REPL_NUM=data_repl_num "
        "DATA_VERSION=data_version DATA_TYPE_NAME=data_type_name DATA_SIZE=data_size DATA_PATH=data_path "
        "DATA_REPL_STATUS=data_is_dirty DATA_STATUS=data_status DATA_CHECKSUM=data_checksum "
        "DATA_EXPIRY=data_expiry_ts DATA_MAP_ID=data_map_id DATA_COMMENTS=r_comment DATA_ACCESS_TIME=access_ts "
        "DATA_CREATE_TIME=create_ts DATA_MODIFY_TIME=modify_ts DATA_MODE=data_mode DATA_RESC_ID=resc_id"
    ),
    "": "DATA_RESC_HIER=hier",
    "R_COLL_MAIN": (
        "COLL_ID=coll_id COLL_NAME=coll_name COLL_PARENT_NAME=parent_coll_name COLL_MAP_ID=coll_map_id "
        "COLL_INHERITANCE=coll_inheritance COLL_COMMENTS=r_comment COLL_CREATE_TIME=create_ts "
        "COLL_MODIFY_TIME=modify_ts COLL_TYPE=coll_type COLL_INFO1=coll_info1 COLL_INFO2=coll_info2"
    ),
    "R_META_MAIN": (
        "META_DATA_ATTR_NAME=meta_attr_name META_DATA_ATTR_VALUE=meta_attr_value META_DATA_ATTR_UNITS=meta_attr_unit "
        "META_DATA_ATTR_ID=meta_id META_DATA_CREATE_TIME=create_ts META_DATA_MODIFY_TIME=modify_ts "
        "META_COLL_ATTR_NAME=meta_attr_name META_COLL_ATTR_VALUE=meta_attr_value META_COLL_ATTR_UNITS=meta_attr_unit "
        "META_COLL_ATTR_ID=meta_id META_COLL_CREATE_TIME=create_ts META_COLL_MODIFY_TIME=modify_ts "
        "META_RESC_ATTR_NAME=meta_attr_name META_RESC_ATTR_VALUE=meta_attr_value META_RESC_ATTR_UNITS=meta_attr_unit "
        "META_RESC_ATTR_ID=meta_id META_RESC_CREATE_TIME=create_ts META_RESC_MODIFY_TIME=modify_ts "
        "META_USER_ATTR_NAME=meta_attr_name META_USER_ATTR_VALUE=meta_attr_value META_USER_ATTR_UNITS=meta_attr_unit "
        "META_USER_ATTR_ID=meta_id META_USER_CREATE_TIME=create_ts META_USER_MODIFY_TIME=modify_ts"
    ),
    "R_USER_GROUP": "GROUP_ID=group_user_id GROUP_MEMBER_ID=user_id",
    "R_RULE_EXEC": (
        "DELAY_RULE_ID=rule_exec_id DELAY_RULE_NAME=rule_name DELAY_RULE_REI_FILE_PATH=rei_file_path "
        "DELAY_RULE_USER_NAME=user_name DELAY_RULE_EXE_ADDRESS=exe_address DELAY_RULE_EXE_TIME=exe_time "
        "DELAY_RULE_EXE_FREQUENCY=exe_frequency DELAY_RULE_PRIORITY=priority "
        "DELAY_RULE_ESTIMATED_EXE_TIME=estimated_exe_time DELAY_RULE_NOTIFICATION_ADDR=notification_addr "
        "DELAY_RULE_LAST_EXE_TIME=last_exe_time DELAY_RULE_STATUS=exe_status DELAY_RULE_LOCK_HOST=lock_host "
        "DELAY_RULE_LOCK_HOST_PID=lock_host_pid DELAY_RULE_LOCK_TIME=lock_ts"
    ),
    "R_OBJT_ACCESS": (
        "DATA_ACCESS_PERM_ID=access_type_id DATA_ACCESS_USER_ID=user_id COLL_ACCESS_PERM_ID=access_type_id "
        "COLL_ACCESS_USER_ID=user_id"
    ),
    "R_TOKN_MAIN": "DATA_ACCESS_PERM_NAME=token_name COLL_ACCESS_PERM_NAME=token_name",
}

COLUMNS: dict[str, tuple[str, str]] = {
    name: (table, column)
    for table, text in _BY_TABLE.items()
    for name, column in (word.split("=") for word in text.split())
}
