"""Where GenQuery1's columns are stored and how tables are joined.

Source: general_query_setup.cpp of iRODS 5.0.2, as data. A name that differs from its table is an alias, so that one
table can stand in a query several times. Links keep their order: the search for a connection takes the first that
leads to a wanted table. Some links name columns that do not exist; a query over them fails, as on a real server.
"""

from __future__ import annotations

# fmt: off
# table -> the names under which it is joined
_ALIASES: dict[str, str] = {
    "R_USER_PASSWORD": "R_USER_PASSWORD",
    "R_USER_SESSION_KEY": "R_USER_SESSION_KEY",
    "R_TOKN_MAIN": (
        "R_TOKN_MAIN r_resc_tokn_accs r_coll_tokn_accs r_data_tokn_accs r_rule_tokn_accs r_met2_tokn_accs "
        "r_resc_tokn_deny_accs r_coll_tokn_deny_accs r_data_tokn_deny_accs r_rule_tokn_deny_accs r_met2_tokn_deny_accs "
        "r_resc_tokn_audit r_coll_tokn_audit r_data_tokn_audit r_rule_tokn_audit r_met2_tokn_audit r_msrvc_tokn_accs "
        "r_msrvc_tokn_deny_accs r_msrvc_tokn_audit"
    ),
    "R_RESC_GROUP": "R_RESC_GROUP",
    "R_ZONE_MAIN": "R_ZONE_MAIN",
    "R_RESC_MAIN": "R_RESC_MAIN r_quota_resc_main",
    "R_COLL_MAIN": "R_COLL_MAIN r_ticket_coll_main r_ticket_data_coll_main",
    "R_DATA_MAIN": "R_DATA_MAIN",
    "R_META_MAIN": (
        "r_met2_main R_META_MAIN r_resc_meta_main r_resc_grp_meta_main r_coll_meta_main r_data_meta_main "
        "r_rule_meta_main r_user_meta_main r_met2_meta_main r_msrvc_meta_main"
    ),
    "R_RULE_MAIN": "R_RULE_MAIN",
    "R_USER_MAIN": (
        "R_USER_MAIN r_resc_user_main r_coll_user_main r_data_user_main r_met2_user_main r_rule_user_main "
        "r_resc_da_user_main r_coll_da_user_main r_data_da_user_main r_met2_da_user_main r_rule_da_user_main "
        "r_resc_au_user_main r_coll_au_user_main r_data_au_user_main r_met2_au_user_main r_rule_au_user_main "
        "r_quota_user_main r_quota_user_group r_group_main r_msrvc_user_main r_msrvc_da_user_main r_msrvc_au_user_main "
        "r_ticket_user_main"
    ),
    "R_OBJT_ACCESS": "r_resc_access r_coll_access r_data_access r_met2_access r_rule_access r_msrvc_access",
    "R_OBJT_AUDIT": "r_resc_audit r_coll_audit r_data_audit r_met2_audit r_rule_audit R_OBJT_AUDIT r_msrvc_audit",
    "R_OBJT_DENY_ACCESS": (
        "r_resc_deny_access r_coll_deny_access r_data_deny_access r_met2_deny_access r_rule_deny_access "
        "r_msrvc_deny_access"
    ),
    "R_OBJT_METAMAP": (
        "r_resc_metamap r_resc_grp_metamap r_coll_metamap r_data_metamap r_met2_metamap r_rule_metamap r_msrvc_metamap "
        "r_user_metamap"
    ),
    "R_USER_GROUP": (
        "r_resc_user_group r_coll_user_group r_data_user_group r_met2_user_group r_rule_user_group "
        "r_resc_da_user_group r_coll_da_user_group r_data_da_user_group r_met2_da_user_group r_rule_da_user_group "
        "r_resc_au_user_group r_coll_au_user_group r_data_au_user_group r_met2_au_user_group r_rule_au_user_group "
        "R_USER_GROUP r_msrvc_user_group r_msrvc_da_user_group r_msrvc_au_user_group"
    ),
    "R_RULE_EXEC": "R_RULE_EXEC",
    "R_SERVER_LOAD": "R_SERVER_LOAD",
    "R_SERVER_LOAD_DIGEST": "R_SERVER_LOAD_DIGEST",
    "R_USER_AUTH": "R_USER_AUTH",
    "R_RULE_BASE_MAP": "R_RULE_BASE_MAP",
    "R_RULE_DVM_MAP": "R_RULE_DVM_MAP",
    "R_RULE_FNM_MAP": "R_RULE_FNM_MAP",
    "R_RULE_DVM": "R_RULE_DVM",
    "R_RULE_FNM": "R_RULE_FNM",
    "R_QUOTA_MAIN": "R_QUOTA_MAIN",
    "R_QUOTA_USAGE": "R_QUOTA_USAGE",
    "R_MICROSRVC_MAIN": "R_MICROSRVC_MAIN",
    "R_MICROSRVC_VER": "R_MICROSRVC_VER",
    "R_TICKET_MAIN": "R_TICKET_MAIN",
    "R_TICKET_ALLOWED_HOSTS": "R_TICKET_ALLOWED_HOSTS",
    "R_TICKET_ALLOWED_USERS": "R_TICKET_ALLOWED_USERS",
    "R_TICKET_ALLOWED_GROUPS": "R_TICKET_ALLOWED_GROUPS",
}

# name -> its columns, each with the numbers that mean it
_COLUMNS: dict[str, str] = {
    "R_ZONE_MAIN": (
        "zone_id=101 zone_name=102 zone_type_name=103 zone_conn_string=104 r_comment=105 create_ts=106 modify_ts=107"
    ),
    "R_USER_MAIN": (
        "user_id=201 user_name=202 user_type_name=203 zone_name=204 user_info=206 r_comment=207 create_ts=208 "
        "modify_ts=209 r_comment=205"
    ),
    "R_USER_AUTH": "user_id=1600 user_auth_name=1601",
    "R_RESC_MAIN": (
        "resc_id=301 resc_name=302 zone_name=303 resc_type_name=304 resc_class_name=305 resc_net=306 resc_def_path=307 "
        "free_space=308 free_space_ts=314 resc_info=309 r_comment=310 resc_status=313 create_ts=311 modify_ts=312 "
        "modify_ts_millis=319 resc_children=315 resc_context=316 resc_parent=317 resc_parent_context=318 resc_name=409"
    ),
    "R_DATA_MAIN": (
        "data_id=401 coll_id=402 data_name=403 data_repl_num=404 data_version=405 data_type_name=406 data_size=407 "
        "data_path=410 data_owner_name=411 data_owner_zone=412 data_is_dirty=413 data_status=414 data_checksum=415 "
        "data_expiry_ts=416 data_map_id=417 r_comment=418 create_ts=419 modify_ts=420 data_mode=421 access_ts=424 "
        "resc_id=423 data_name=2226"
    ),
    "r_data_access": "access_type_id=700 user_id=703 object_id=704",
    "r_data_tokn_accs": "token_name=701 token_namespace=702",
    "r_coll_access": "access_type_id=710 user_id=713 object_id=714",
    "r_coll_tokn_accs": "token_name=711 token_namespace=712",
    "r_resc_access": "access_type_id=720 user_id=723 object_id=724",
    "r_resc_tokn_accs": "token_name=721 token_namespace=722",
    "R_COLL_MAIN": (
        "coll_id=500 coll_name=501 parent_coll_name=502 coll_owner_name=503 coll_owner_zone=504 coll_map_id=505 "
        "coll_inheritance=506 r_comment=507 create_ts=508 modify_ts=509 coll_type=510 coll_info1=511 coll_info2=512"
    ),
    "r_data_meta_main": (
        "meta_attr_name=600 meta_attr_value=601 meta_attr_unit=602 meta_id=603 create_ts=604 modify_ts=605 "
        "meta_namespace=621"
    ),
    "r_coll_meta_main": (
        "meta_attr_name=610 meta_attr_value=611 meta_attr_unit=612 meta_id=613 create_ts=614 modify_ts=615 "
        "meta_namespace=620"
    ),
    "r_resc_meta_main": (
        "meta_namespace=622 meta_attr_name=630 meta_attr_value=631 meta_attr_unit=632 meta_id=633 create_ts=634 "
        "modify_ts=635"
    ),
    "r_resc_grp_meta_main": (
        "meta_namespace=624 meta_attr_name=650 meta_attr_value=651 meta_attr_unit=652 meta_id=653 create_ts=654 "
        "modify_ts=655"
    ),
    "r_user_meta_main": (
        "meta_namespace=623 meta_attr_name=640 meta_attr_value=641 meta_attr_unit=642 meta_id=643 create_ts=644 "
        "modify_ts=645"
    ),
    "r_rule_meta_main": (
        "meta_namespace=625 meta_attr_name=660 meta_attr_value=661 meta_attr_unit=662 meta_id=663 create_ts=664 "
        "modify_ts=665"
    ),
    "r_msrvc_meta_main": (
        "meta_namespace=626 meta_attr_name=670 meta_attr_value=671 meta_attr_unit=672 meta_id=673 create_ts=674 "
        "modify_ts=675"
    ),
    "r_met2_meta_main": (
        "meta_namespace=627 meta_attr_name=680 meta_attr_value=681 meta_attr_unit=682 meta_id=683 create_ts=684 "
        "modify_ts=685"
    ),
    "R_USER_GROUP": "group_user_id=900",
    "r_group_main": "user_name=901",
    "R_RULE_EXEC": (
        "rule_exec_id=1000 rule_name=1001 rei_file_path=1002 user_name=1003 exe_address=1004 exe_time=1005 "
        "exe_frequency=1006 priority=1007 estimated_exe_time=1008 notification_addr=1009 last_exe_time=1010 "
        "exe_status=1011 exe_context=1012 lock_host=1013 lock_host_pid=1014 lock_ts=1015"
    ),
    "R_TOKN_MAIN": (
        "token_namespace=1100 token_id=1101 token_name=1102 token_value=1103 token_value2=1104 token_value3=1105 "
        "r_comment=1106 create_ts=1107 modify_ts=1108"
    ),
    "R_OBJT_AUDIT": "object_id=1200 user_id=1201 action_id=1202 r_comment=1203 create_ts=1204 modify_ts=1205",
    "r_coll_user_main": "user_name=1300 zone_name=1301",
    "r_data_user_main": "user_name=1310 zone_name=1311",
    "r_resc_user_main": "user_name=1320 zone_name=1321",
    "R_SERVER_LOAD": (
        "host_name=1400 resc_name=1401 cpu_used=1402 mem_used=1403 swap_used=1404 runq_load=1405 disk_space=1406 "
        "net_input=1407 net_output=1408 create_ts=1409"
    ),
    "R_SERVER_LOAD_DIGEST": "resc_name=1500 load_factor=1501 create_ts=1502",
    "R_RULE_MAIN": (
        "rule_id=1700 rule_version=1701 rule_base_name=1702 rule_name=1703 rule_event=1704 rule_condition=1705 "
        "rule_body=1706 rule_recovery=1707 rule_status=1708 rule_owner_name=1709 rule_owner_zone=1710 "
        "rule_descr_1=1711 rule_descr_2=1712 input_params=1713 output_params=1714 dollar_vars=1715 icat_elements=1716 "
        "sideeffects=1717 r_comment=1718 create_ts=1719 modify_ts=1720"
    ),
    "R_RULE_BASE_MAP": (
        "map_version=1721 map_priority=1728 map_base_name=1722 map_owner_name=1723 map_owner_zone=1724 r_comment=1725 "
        "create_ts=1726 modify_ts=1727"
    ),
    "R_RULE_DVM": (
        "dvm_id=1800 dvm_version=1801 dvm_base_name=1802 dvm_ext_var_name=1803 dvm_condition=1804 "
        "dvm_int_map_path=1805 dvm_status=1806 dvm_owner_name=1807 dvm_owner_zone=1808 r_comment=1809 create_ts=1810 "
        "modify_ts=1811"
    ),
    "R_RULE_DVM_MAP": (
        "map_dvm_version=1812 map_dvm_base_name=1813 map_owner_name=1814 map_owner_zone=1815 r_comment=1816 "
        "create_ts=1817 modify_ts=1818"
    ),
    "R_RULE_FNM": (
        "fnm_id=1900 fnm_version=1901 fnm_base_name=1902 fnm_ext_func_name=1903 fnm_int_func_name=1904 fnm_status=1905 "
        "fnm_owner_name=1906 fnm_owner_zone=1907 r_comment=1908 create_ts=1909 modify_ts=1910"
    ),
    "R_RULE_FNM_MAP": (
        "map_fnm_version=1911 map_fnm_base_name=1912 map_owner_name=1913 map_owner_zone=1914 r_comment=1915 "
        "create_ts=1916 modify_ts=1917"
    ),
    "R_QUOTA_MAIN": "user_id=2000 resc_id=2001 quota_limit=2002 quota_over=2003 modify_ts=2004",
    "R_QUOTA_USAGE": "user_id=2010 resc_id=2011 quota_usage=2012 modify_ts=2013",
    "r_quota_user_main": "user_name=2021 zone_name=2022",
    "r_quota_user_group": "user_type_name=2023",
    "r_quota_resc_main": "resc_name=2020",
    "R_MICROSRVC_MAIN": (
        "msrvc_id=2100 msrvc_module_name=2116 msrvc_name=2101 msrvc_signature=2102 msrvc_doxygen=2103 "
        "msrvc_variations=2104 msrvc_owner_name=2106 msrvc_owner_zone=2107 r_comment=2108 create_ts=2109 "
        "modify_ts=2110"
    ),
    "R_MICROSRVC_VER": (
        "msrvc_version=2111 msrvc_host=2112 msrvc_location=2113 msrvc_language=2114 msrvc_type_name=2115 "
        "msrvc_status=2105 msrvc_owner_name=2150 msrvc_owner_zone=2151 r_comment=2152 create_ts=2153 modify_ts=2154"
    ),
    "r_meta_access": "access_type_id=730 user_id=733 object_id=734",
    "r_meta_tokn_accs": "token_name=731 token_namespace=732",
    "r_rule_access": "access_type_id=740 user_id=743 object_id=744",
    "r_rule_tokn_accs": "token_name=741 token_namespace=742",
    "r_msrvc_access": "access_type_id=750 user_id=753 object_id=754",
    "r_msrvc_tokn_accs": "token_name=751 token_namespace=752",
    "R_TICKET_MAIN": (
        "ticket_id=2200 ticket_string=2201 ticket_type=2202 user_id=2203 object_id=2204 object_type=2205 "
        "uses_limit=2206 uses_count=2207 write_file_limit=2212 write_file_count=2211 write_byte_limit=2214 "
        "write_byte_count=2213 ticket_expiry_ts=2208 create_ts=2209 modify_ts=2210"
    ),
    "R_TICKET_ALLOWED_HOSTS": "host=2221 ticket_id=2220",
    "R_TICKET_ALLOWED_USERS": "user_name=2223 ticket_id=2222",
    "R_TICKET_ALLOWED_GROUPS": "group_name=2225 ticket_id=2224",
    "r_ticket_coll_main": "coll_name=2228",
    "r_ticket_user_main": "user_name=2229 zone_name=2230",
    "r_ticket_data_coll_main": "coll_name=2227",
}

# Each joins its first table to its last.
_LINKS = """
R_COLL_MAIN.coll_id = R_DATA_MAIN.coll_id
R_RESC_GROUP.resc_id = R_RESC_MAIN.resc_id
R_RESC_MAIN.resc_id = r_resc_metamap.object_id
R_RESC_MAIN.resc_id = R_DATA_MAIN.resc_id
R_RESC_GROUP.resc_group_id = r_resc_grp_metamap.object_id
R_COLL_MAIN.coll_id = r_coll_metamap.object_id
R_DATA_MAIN.data_id = r_data_metamap.object_id
R_RULE_MAIN.rule_id = r_rule_metamap.object_id
R_USER_MAIN.user_id = r_user_metamap.object_id
r_met2_main.meta_id = r_met2_metamap.object_id
R_RESC_MAIN.resc_id = r_resc_access.object_id
R_COLL_MAIN.coll_id = r_coll_access.object_id
R_DATA_MAIN.data_id = r_data_access.object_id
R_RULE_MAIN.rule_id = r_rule_access.object_id
r_met2_main.meta_id = r_met2_access.object_id
R_RESC_MAIN.resc_id = r_resc_deny_access.object_id
R_COLL_MAIN.coll_id = r_coll_deny_access.object_id
R_DATA_MAIN.data_id = r_data_deny_access.object_id
R_RULE_MAIN.rule_id = r_rule_deny_access.object_id
r_met2_main.meta_id = r_met2_deny_access.object_id
R_RESC_MAIN.resc_id = r_resc_audit.object_id
R_COLL_MAIN.coll_id = r_coll_audit.object_id
R_DATA_MAIN.data_id = r_data_audit.object_id
R_RULE_MAIN.rule_id = r_rule_audit.object_id
r_met2_main.meta_id = r_met2_audit.object_id.meta_id
r_resc_metamap.meta_id = r_resc_meta_main.meta_id
r_resc_grp_metamap.meta_id = r_resc_grp_meta_main.meta_id
r_coll_metamap.meta_id = r_coll_meta_main.meta_id
r_data_metamap.meta_id = r_data_meta_main.meta_id
r_rule_metamap.meta_id = r_rule_meta_main.meta_id
r_user_metamap.meta_id = r_user_meta_main.meta_id
r_met2_metamap.object_id = r_met2_meta_main.meta_id
r_resc_access.access_type_id = r_resc_tokn_accs.token_id
r_resc_access.user_id = r_resc_user_group.group_user_id
r_coll_access.access_type_id = r_coll_tokn_accs.token_id
r_coll_access.user_id = r_coll_user_group.group_user_id
r_data_access.access_type_id = r_data_tokn_accs.token_id
r_data_access.user_id = r_data_user_group.group_user_id
r_rule_access.access_typ_id = r_rule_tokn_accs.token_id
r_rule_access.user_id = r_rule_user_group.group_user_id
r_met2_access.access_typ_id = r_met2_tokn_accs.token_id
r_met2_access.user_id = r_met2_user_group.group_user_id
r_resc_deny_access.access_typ_id = r_resc_tokn_deny_accs.token_id
r_resc_deny_access.user_id = r_resc_da_user_group.group_user_id
r_coll_deny_access.access_typ_id = r_coll_tokn_deny_accs.token_id
r_coll_deny_access.user_id = r_coll_da_user_group.group_user_id
r_data_deny_access.access_typ_id = r_data_tokn_deny_accs.token_id
r_data_deny_access.user_id = r_data_da_user_group.group_user_id
r_rule_deny_access.access_typ_id = r_rule_tokn_deny_accs.token_id
r_rule_deny_access.user_id = r_rule_da_user_group.group_user_id
r_met2_deny_access.access_typ_id = r_met2_tokn_deny_accs.token_id
r_met2_deny_access.user_id = r_met2_da_user_group.group_user_id
r_resc_audit.action_id = r_resc_tokn_audit.token_id
r_resc_audit.user_id = r_resc_au_user_group.group_user_id
r_coll_audit.action_id = r_coll_tokn_audit.token_id
r_coll_audit.user_id = r_coll_au_user_group.group_user_id
r_data_audit.action_id = r_data_tokn_audit.token_id
r_data_audit.user_id = r_data_au_user_group.group_user_id
r_rule_audit.action_id = r_rule_tokn_audit.token_id
r_rule_audit.user_id = r_rule_au_user_group.group_user_id
r_met2_audit.action_id = r_met2_tokn_audit.token_id
r_met2_audit.user_id = r_met2_au_user_group.group_user_id
r_resc_user_group.user_id = r_resc_user_main.user_id
r_coll_user_group.user_id = r_coll_user_main.user_id
r_data_user_group.user_id = r_data_user_main.user_id
r_rule_user_group.user_id = r_rule_user_main.user_id
r_met2_user_group.user_id = r_met2_user_main.user_id
r_resc_da_user_group.user_id = r_resc_da_user_main.user_id
r_coll_da_user_group.user_id = r_coll_da_user_main.user_id
r_data_da_user_group.user_id = r_data_da_user_main.user_id
r_rule_da_user_group.user_id = r_rule_da_user_main.user_id
r_met2_da_user_group.user_id = r_met2_da_user_main.user_id
r_resc_au_user_group.user_id = r_resc_au_user_main.user_id
r_coll_au_user_group.user_id = r_coll_au_user_main.user_id
r_data_au_user_group.user_id = r_data_au_user_main.user_id
r_rule_au_user_group.user_id = r_rule_au_user_main.user_id
r_met2_au_user_group.user_id = r_met2_au_user_main.user_id
R_USER_MAIN.user_id = R_USER_PASSWORD.user_id
R_USER_MAIN.user_id = R_USER_AUTH.user_id
R_USER_MAIN.user_id = R_USER_SESSION_KEY.user_id
R_USER_MAIN.user_id = r_data_access.user_id
R_USER_MAIN.user_id = R_USER_GROUP.user_id
R_USER_GROUP.group_user_id = r_group_main.user_id
R_USER_MAIN.user_id = R_OBJT_AUDIT.user_id
R_QUOTA_MAIN.user_id = r_quota_user_main.user_id
R_QUOTA_MAIN.resc_id = r_quota_resc_main.resc_id
R_QUOTA_MAIN.user_id = r_quota_user_group.user_id
R_QUOTA_USAGE.user_id = r_quota_user_main.user_id
R_QUOTA_USAGE.resc_id = r_quota_resc_main.resc_id
R_QUOTA_USAGE.user_id = r_quota_user_group.user_id
R_RULE_BASE_MAP.rule_id = R_RULE_MAIN.rule_id
R_RULE_DVM_MAP.dvm_id = R_RULE_DVM.dvm_id
R_RULE_FNM_MAP.fnm_id = R_RULE_FNM.fnm_id
R_MICROSRVC_MAIN.msrvc_id = R_MICROSRVC_VER.msrvc_id
R_MICROSRVC_MAIN.msrvc_id = r_msrvc_metamap.object_id
r_msrvc_metamap.meta_id = r_msrvc_meta_main.meta_id
R_MICROSRVC_MAIN.msrvc_id = r_msrvc_access.object_id
r_msrvc_access.access_typ_id = r_msrvc_tokn_accs.token_id
r_msrvc_access.user_id = r_msrvc_user_group.group_user_id
r_msrvc_user_group.user_id = r_msrvc_user_main.user_id
R_MICROSRVC_MAIN.msrvc_id = r_msrvc_deny_access.object_id
r_msrvc_deny_access.access_typ_id = r_msrvc_tokn_deny_accs.token_id
r_msrvc_deny_access.user_id = r_msrvc_da_user_group.group_user_id
r_msrvc_da_user_group.user_id = r_msrvc_da_user_main.user_id
R_MICROSRVC_MAIN.msrvc_id = r_msrvc_audit.object_id
r_msrvc_audit.action_id = r_msrvc_tokn_audit.token_id
r_msrvc_audit.user_id = r_msrvc_au_user_group.group_user_id
r_msrvc_au_user_group.user_id = r_msrvc_au_user_main.user_id
R_TICKET_MAIN.ticket_id = R_TICKET_ALLOWED_HOSTS.ticket_id
R_TICKET_MAIN.ticket_id = R_TICKET_ALLOWED_USERS.ticket_id
R_TICKET_MAIN.ticket_id = R_TICKET_ALLOWED_GROUPS.ticket_id
R_TICKET_MAIN.object_id = R_DATA_MAIN.data_id
R_TICKET_MAIN.object_id = r_ticket_coll_main.coll_id
R_TICKET_MAIN.object_id = R_DATA_MAIN.data_id AND R_DATA_MAIN.coll_id = r_ticket_data_coll_main.coll_id
R_TICKET_MAIN.user_id = r_ticket_user_main.user_id
"""
# fmt: on

# Tables at which the search for a connection stops, because the graph would have cycles otherwise.
CYCLERS = frozenset(
    {
        "r_quota_user_main",
        "r_quota_user_group",
        "r_quota_resc_main",
        "r_ticket_coll_main",
        "r_ticket_user_main",
        "r_ticket_data_coll_main",
    }
)

BASE_TABLE: dict[str, str] = {name: base for base, names in _ALIASES.items() for name in names.split()}

COLUMN_PLACE: dict[int, tuple[str, str]] = {
    int(number): (table, column)
    for table, text in _COLUMNS.items()
    for column, number in (word.split("=") for word in text.split())
}

LINKS: tuple[tuple[str, str, str], ...] = tuple(
    (text.split(".")[0], text.rsplit(".", 1)[0].split()[-1].split(".")[0], text) for text in _LINKS.strip().split("\n")
)
