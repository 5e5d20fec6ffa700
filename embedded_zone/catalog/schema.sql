-- The catalogue's tables: those of iRODS 5.0 (schema version 12), same names and columns.
--
-- Sources: icatSysTables.sql and database_upgrade.py of iRODS 5.0.2. SQLite keeps no length of a varchar,
-- so a check constraint does: a value that is too long fails as on a real server (CAT_SQL_ERR).

create table R_ZONE_MAIN (
    zone_id integer not null,
    zone_name text not null check (length(zone_name) <= 250),
    zone_type_name text not null check (length(zone_type_name) <= 250),
    zone_conn_string text check (length(zone_conn_string) <= 1000),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_USER_MAIN (
    user_id integer not null,
    user_name text not null check (length(user_name) <= 250),
    user_type_name text not null check (length(user_type_name) <= 250),
    zone_name text not null check (length(zone_name) <= 250),
    user_info text check (length(user_info) <= 1000),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_RESC_MAIN (
    resc_id integer not null,
    resc_name text not null check (length(resc_name) <= 250),
    zone_name text not null check (length(zone_name) <= 250),
    resc_type_name text not null check (length(resc_type_name) <= 250),
    resc_class_name text not null check (length(resc_class_name) <= 250),
    resc_net text not null check (length(resc_net) <= 250),
    resc_def_path text not null check (length(resc_def_path) <= 1000),
    free_space text check (length(free_space) <= 250),
    free_space_ts text check (length(free_space_ts) <= 32),
    resc_info text check (length(resc_info) <= 1000),
    r_comment text check (length(r_comment) <= 1000),
    resc_status text check (length(resc_status) <= 32),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32),
    resc_children text check (length(resc_children) <= 1000),
    resc_context text check (length(resc_context) <= 1000),
    resc_parent text check (length(resc_parent) <= 1000),
    resc_objcount integer default 0,
    resc_parent_context text check (length(resc_parent_context) <= 4000),
    modify_ts_millis text default '000' check (length(modify_ts_millis) <= 3)
);

create table R_COLL_MAIN (
    coll_id integer not null,
    parent_coll_name text not null check (length(parent_coll_name) <= 2700),
    coll_name text not null check (length(coll_name) <= 2700),
    coll_owner_name text not null check (length(coll_owner_name) <= 250),
    coll_owner_zone text not null check (length(coll_owner_zone) <= 250),
    coll_map_id integer default 0,
    coll_inheritance text check (length(coll_inheritance) <= 1000),
    coll_type text default '0' check (length(coll_type) <= 250),
    coll_info1 text default '0' check (length(coll_info1) <= 2700),
    coll_info2 text default '0' check (length(coll_info2) <= 2700),
    coll_expiry_ts text check (length(coll_expiry_ts) <= 32),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_DATA_MAIN (
    data_id integer not null,
    coll_id integer not null,
    data_name text not null check (length(data_name) <= 1000),
    data_repl_num integer not null,
    data_version text default '0' check (length(data_version) <= 250),
    data_type_name text not null check (length(data_type_name) <= 250),
    data_size integer not null,
    resc_group_name text check (length(resc_group_name) <= 250),
    resc_name text not null check (length(resc_name) <= 250),
    data_path text not null check (length(data_path) <= 2700),
    data_owner_name text not null check (length(data_owner_name) <= 250),
    data_owner_zone text not null check (length(data_owner_zone) <= 250),
    data_is_dirty integer default 0,
    data_status text check (length(data_status) <= 250),
    data_checksum text check (length(data_checksum) <= 1000),
    data_expiry_ts text check (length(data_expiry_ts) <= 32),
    data_map_id integer default 0,
    data_mode text check (length(data_mode) <= 32),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32),
    resc_hier text check (length(resc_hier) <= 1000),
    resc_id integer,
    access_ts text default '0' check (length(access_ts) <= 32)
);

create table R_META_MAIN (
    meta_id integer not null,
    meta_namespace text check (length(meta_namespace) <= 250),
    meta_attr_name text not null check (length(meta_attr_name) <= 2700),
    meta_attr_value text not null check (length(meta_attr_value) <= 2700),
    meta_attr_unit text check (length(meta_attr_unit) <= 250),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_TOKN_MAIN (
    token_namespace text not null check (length(token_namespace) <= 250),
    token_id integer not null,
    token_name text not null check (length(token_name) <= 250),
    token_value text check (length(token_value) <= 250),
    token_value2 text check (length(token_value2) <= 250),
    token_value3 text check (length(token_value3) <= 250),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_RULE_MAIN (
    rule_id integer not null,
    rule_version text default '0' check (length(rule_version) <= 250),
    rule_base_name text not null check (length(rule_base_name) <= 250),
    rule_name text not null check (length(rule_name) <= 2700),
    rule_event text not null check (length(rule_event) <= 2700),
    rule_condition text check (length(rule_condition) <= 2700),
    rule_body text not null check (length(rule_body) <= 2700),
    rule_recovery text not null check (length(rule_recovery) <= 2700),
    rule_status integer default 1,
    rule_owner_name text not null check (length(rule_owner_name) <= 250),
    rule_owner_zone text not null check (length(rule_owner_zone) <= 250),
    rule_descr_1 text check (length(rule_descr_1) <= 2700),
    rule_descr_2 text check (length(rule_descr_2) <= 2700),
    input_params text check (length(input_params) <= 2700),
    output_params text check (length(output_params) <= 2700),
    dollar_vars text check (length(dollar_vars) <= 2700),
    icat_elements text check (length(icat_elements) <= 2700),
    sideeffects text check (length(sideeffects) <= 2700),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_RULE_BASE_MAP (
    map_version text default '0' check (length(map_version) <= 250),
    map_base_name text not null check (length(map_base_name) <= 250),
    map_priority integer not null,
    rule_id integer not null,
    map_owner_name text not null check (length(map_owner_name) <= 250),
    map_owner_zone text not null check (length(map_owner_zone) <= 250),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_RULE_DVM (
    dvm_id integer not null,
    dvm_version text default '0' check (length(dvm_version) <= 250),
    dvm_base_name text not null check (length(dvm_base_name) <= 250),
    dvm_ext_var_name text not null check (length(dvm_ext_var_name) <= 250),
    dvm_condition text check (length(dvm_condition) <= 2700),
    dvm_int_map_path text not null check (length(dvm_int_map_path) <= 2700),
    dvm_status integer default 1,
    dvm_owner_name text not null check (length(dvm_owner_name) <= 250),
    dvm_owner_zone text not null check (length(dvm_owner_zone) <= 250),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_RULE_DVM_MAP (
    map_dvm_version text default '0' check (length(map_dvm_version) <= 250),
    map_dvm_base_name text not null check (length(map_dvm_base_name) <= 250),
    dvm_id integer not null,
    map_owner_name text not null check (length(map_owner_name) <= 250),
    map_owner_zone text not null check (length(map_owner_zone) <= 250),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_RULE_FNM (
    fnm_id integer not null,
    fnm_version text default '0' check (length(fnm_version) <= 250),
    fnm_base_name text not null check (length(fnm_base_name) <= 250),
    fnm_ext_func_name text not null check (length(fnm_ext_func_name) <= 250),
    fnm_int_func_name text not null check (length(fnm_int_func_name) <= 2700),
    fnm_status integer default 1,
    fnm_owner_name text not null check (length(fnm_owner_name) <= 250),
    fnm_owner_zone text not null check (length(fnm_owner_zone) <= 250),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_RULE_FNM_MAP (
    map_fnm_version text default '0' check (length(map_fnm_version) <= 250),
    map_fnm_base_name text not null check (length(map_fnm_base_name) <= 250),
    fnm_id integer not null,
    map_owner_name text not null check (length(map_owner_name) <= 250),
    map_owner_zone text not null check (length(map_owner_zone) <= 250),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_MICROSRVC_MAIN (
    msrvc_id integer not null,
    msrvc_name text not null check (length(msrvc_name) <= 250),
    msrvc_module_name text not null check (length(msrvc_module_name) <= 250),
    msrvc_signature text not null check (length(msrvc_signature) <= 2700),
    msrvc_doxygen text not null check (length(msrvc_doxygen) <= 2500),
    msrvc_variations text not null check (length(msrvc_variations) <= 2500),
    msrvc_owner_name text not null check (length(msrvc_owner_name) <= 250),
    msrvc_owner_zone text not null check (length(msrvc_owner_zone) <= 250),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_MICROSRVC_VER (
    msrvc_id integer not null,
    msrvc_version text default '0' check (length(msrvc_version) <= 250),
    msrvc_host text default 'ALL' check (length(msrvc_host) <= 250),
    msrvc_location text check (length(msrvc_location) <= 500),
    msrvc_language text default 'C' check (length(msrvc_language) <= 250),
    msrvc_type_name text default 'IRODS COMPILED' check (length(msrvc_type_name) <= 250),
    msrvc_status integer default 1,
    msrvc_owner_name text not null check (length(msrvc_owner_name) <= 250),
    msrvc_owner_zone text not null check (length(msrvc_owner_zone) <= 250),
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_RULE_EXEC (
    rule_exec_id integer not null,
    rule_name text not null check (length(rule_name) <= 2700),
    rei_file_path text check (length(rei_file_path) <= 2700),
    user_name text check (length(user_name) <= 250),
    exe_address text check (length(exe_address) <= 250),
    exe_time text check (length(exe_time) <= 32),
    exe_frequency text check (length(exe_frequency) <= 250),
    priority text check (length(priority) <= 32),
    estimated_exe_time text check (length(estimated_exe_time) <= 32),
    notification_addr text check (length(notification_addr) <= 250),
    last_exe_time text check (length(last_exe_time) <= 32),
    exe_status text check (length(exe_status) <= 32),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32),
    exe_context text,
    lock_host text default '' check (length(lock_host) <= 300),
    lock_host_pid text default '' check (length(lock_host_pid) <= 16),
    lock_ts text default '' check (length(lock_ts) <= 32)
);

create table R_USER_GROUP (
    group_user_id integer not null,
    user_id integer not null,
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_USER_SESSION_KEY (
    user_id integer not null,
    session_key text not null check (length(session_key) <= 1000),
    session_info text check (length(session_info) <= 1000),
    auth_scheme text not null check (length(auth_scheme) <= 250),
    session_expiry_ts text not null check (length(session_expiry_ts) <= 32),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_USER_PASSWORD (
    user_id integer not null,
    rcat_password text not null check (length(rcat_password) <= 250),
    pass_expiry_ts text not null check (length(pass_expiry_ts) <= 32),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_RESC_GROUP (
    resc_group_id integer not null,
    resc_group_name text not null check (length(resc_group_name) <= 250),
    resc_id integer not null,
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_OBJT_METAMAP (
    object_id integer not null,
    meta_id integer not null,
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_OBJT_ACCESS (
    object_id integer not null,
    user_id integer not null,
    access_type_id integer not null,
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_OBJT_DENY_ACCESS (
    object_id integer not null,
    user_id integer not null,
    access_type_id integer not null,
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_OBJT_AUDIT (
    object_id integer not null,
    user_id integer not null,
    action_id integer not null,
    r_comment text check (length(r_comment) <= 1000),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_SERVER_LOAD (
    host_name text not null check (length(host_name) <= 250),
    resc_name text not null check (length(resc_name) <= 250),
    cpu_used integer,
    mem_used integer,
    swap_used integer,
    runq_load integer,
    disk_space integer,
    net_input integer,
    net_output integer,
    create_ts text check (length(create_ts) <= 32)
);

create table R_SERVER_LOAD_DIGEST (
    resc_name text not null check (length(resc_name) <= 250),
    load_factor integer,
    create_ts text check (length(create_ts) <= 32)
);

create table R_USER_AUTH (
    user_id integer not null,
    user_auth_name text check (length(user_auth_name) <= 1000),
    create_ts text check (length(create_ts) <= 32)
);

create table R_QUOTA_MAIN (
    user_id integer,
    resc_id integer,
    quota_limit integer,
    quota_over integer,
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_QUOTA_USAGE (
    user_id integer,
    resc_id integer,
    quota_usage integer,
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_SPECIFIC_QUERY (
    alias text check (length(alias) <= 1000),
    sqlStr text check (length(sqlStr) <= 2700),
    create_ts text check (length(create_ts) <= 32)
);

create table R_TICKET_MAIN (
    ticket_id integer not null,
    ticket_string text check (length(ticket_string) <= 100),
    ticket_type text check (length(ticket_type) <= 20),
    user_id integer not null,
    object_id integer not null,
    object_type text check (length(object_type) <= 16),
    uses_limit integer default 0,
    uses_count integer default 0,
    write_file_limit integer default 10,
    write_file_count integer default 0,
    write_byte_limit integer default 0,
    write_byte_count integer default 0,
    ticket_expiry_ts text check (length(ticket_expiry_ts) <= 32),
    restrictions text check (length(restrictions) <= 16),
    create_ts text check (length(create_ts) <= 32),
    modify_ts text check (length(modify_ts) <= 32)
);

create table R_TICKET_ALLOWED_HOSTS (
    ticket_id integer not null,
    host text check (length(host) <= 32)
);

create table R_TICKET_ALLOWED_USERS (
    ticket_id integer not null,
    user_name text not null check (length(user_name) <= 250)
);

create table R_TICKET_ALLOWED_GROUPS (
    ticket_id integer not null,
    group_name text not null check (length(group_name) <= 250)
);

create table R_GRID_CONFIGURATION (
    namespace text check (length(namespace) <= 2700),
    option_name text check (length(option_name) <= 2700),
    option_value text check (length(option_value) <= 2700)
);

-- One sequence numbers every object, as R_ObjectId does on PostgreSQL.
create table zone_sequence (next integer not null);
insert into zone_sequence values (10000);

create unique index idx_zone_main1 on R_ZONE_MAIN (zone_id);
create unique index idx_zone_main2 on R_ZONE_MAIN (zone_name);
create index idx_user_main1 on R_USER_MAIN (user_id);
create unique index idx_user_main2 on R_USER_MAIN (user_name, zone_name);
create index idx_resc_main1 on R_RESC_MAIN (resc_id);
create unique index idx_resc_main2 on R_RESC_MAIN (zone_name, resc_name);
create unique index idx_coll_main3 on R_COLL_MAIN (coll_name);
create index idx_coll_main1 on R_COLL_MAIN (coll_id);
create unique index idx_coll_main2 on R_COLL_MAIN (parent_coll_name, coll_name);
create index idx_data_main1 on R_DATA_MAIN (data_id);
create unique index idx_data_main2 on R_DATA_MAIN (coll_id, data_name, data_repl_num, data_version);
create index idx_data_main4 on R_DATA_MAIN (data_name);
create index idx_data_main5 on R_DATA_MAIN (data_type_name);
create index idx_data_main6 on R_DATA_MAIN (data_path);
create unique index idx_meta_main1 on R_META_MAIN (meta_id);
create index idx_meta_main3 on R_META_MAIN (meta_attr_value);
create index idx_meta_main4 on R_META_MAIN (meta_attr_unit);
create unique index idx_rule_main1 on R_RULE_MAIN (rule_id);
create unique index idx_rule_exec on R_RULE_EXEC (rule_exec_id);
create unique index idx_user_group1 on R_USER_GROUP (group_user_id, user_id);
create unique index idx_resc_logical1 on R_RESC_GROUP (resc_group_name, resc_id);
create unique index idx_objt_metamap1 on R_OBJT_METAMAP (object_id, meta_id);
create index idx_objt_metamap3 on R_OBJT_METAMAP (meta_id);
create unique index idx_objt_access1 on R_OBJT_ACCESS (object_id, user_id);
create unique index idx_objt_daccs1 on R_OBJT_DENY_ACCESS (object_id, user_id);
create index idx_tokn_main1 on R_TOKN_MAIN (token_id);
create index idx_tokn_main2 on R_TOKN_MAIN (token_name);
create index idx_tokn_main3 on R_TOKN_MAIN (token_value);
create index idx_tokn_main4 on R_TOKN_MAIN (token_namespace);
create index idx_specific_query1 on R_SPECIFIC_QUERY (sqlStr);
create index idx_specific_query2 on R_SPECIFIC_QUERY (alias);
create unique index idx_ticket on R_TICKET_MAIN (ticket_string);
create unique index idx_ticket_host on R_TICKET_ALLOWED_HOSTS (ticket_id, host);
create unique index idx_ticket_user on R_TICKET_ALLOWED_USERS (ticket_id, user_name);
create unique index idx_ticket_group on R_TICKET_ALLOWED_GROUPS (ticket_id, group_name);
create unique index idx_grid_configuration on R_GRID_CONFIGURATION (namespace, option_name);
create index idx_quota_main1 on R_QUOTA_MAIN (user_id);
create index idx_data_main7 on R_DATA_MAIN (resc_id);

-- iRODS's idx_data_main3, idx_data_main8, idx_meta_main2 and idx_objt_metamap2 are left out: each is the beginning of
-- another index, or misleads SQLite's planner. Beyond iRODS: SQLite has neither hash joins nor bitmap scans, so the
-- other direction of a join needs an index of its own.
create index zone_user_group_member on R_USER_GROUP (user_id, group_user_id);
create index zone_objt_access_user on R_OBJT_ACCESS (user_id, access_type_id, object_id);
create index zone_user_password on R_USER_PASSWORD (user_id);
create index zone_meta_pair on R_META_MAIN (meta_attr_name, meta_attr_value);
create index zone_ticket_object on R_TICKET_MAIN (object_id);
