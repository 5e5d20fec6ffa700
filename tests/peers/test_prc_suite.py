"""python-irodsclient's own suite passes on an embedded zone: a part of it always, all of it in ``make test-long``."""

from __future__ import annotations

import pytest

from tests.peers import prc_page, prc_suite
from tests.peers.prc_suite import FileResult, Outcome

ENOUGH = 290

# Tests that together touch every API that the suite touches, without those that take longer than some seconds.
QUICK_FILES = ["access", "admin", "client_hints", "file", "genquery2", "library_features"]
QUICK_FILES += ["meta", "rule", "temp_password", "user_group", "zone"]
QUICK_TESTS = {
    "collection_test.TestCollection": (
        "test_create_recursive_collection test_move_coll_to_coll test_register_collection test_remove_deep_collection "
        "test_update_mtime_of_collection_using_touch_operation_as_non_admin__525 test_walk_collection"
    ),
    "connection_test.TestConnections": (
        "test_connection test_legacy_auth_used_with_force_legacy_auth_configuration__issue_499"
    ),
    "data_obj_test.TestDataObjOps": (
        "test_compute_chksum test_copy_obj_to_obj test_move_obj_to_coll test_obj_create_to_default_resource "
        "test_obj_put_get_small test_obj_replicate test_obj_truncate test_modDataObjMeta test_register_with_checksum "
        "test_replica_truncate__issue_534 test_routine_verify_chksum_operation test_force_unlink test_rename_obj "
        "test_unregister_can_target_replica__issue_435 test_parallel_conns_with_replResc__irods_5848 "
        "test_touch_operation_does_not_work_when_given_a_collection__525 test_repave_replicas "
        "test_put_get_parallel_autoswitch_A__235 test_data_write_stales_other_repls__ref_irods_5548"
    ),
    "pool_test.TestPool": "test_release_connection",
    "query_test.TestQuery": (
        "test_collections_query test_query_order_by test_resources_query test_rules_query__267 "
        "test_simultaneous_multiple_AVU_joins"
    ),
    "query_test.TestSpecificQuery": "test_list_specific_queries_with_arguments",
    "resource_test.TestResource": "test_put_with_violating_minimum_free_space__issue_462",
    "ticket_test.TestTicketOps": "test_data_ticket_write test_coll_ticket_write",
}

# What python-irodsclient can ask for at all in this suite; 10220 only with a server that is not called localhost.
APIS = [
    "atomic_apply_metadata_operations",
    "auth_request",
    "auth_response",
    "authenticate",
    "client_hints",
    "coll_create",
    "data_obj_chksum",
    "data_obj_close",
    "data_obj_copy",
    "data_obj_create",
    "data_obj_lseek",
    "data_obj_open",
    "data_obj_read",
    "data_obj_rename",
    "data_obj_repl",
    "data_obj_trim",
    "data_obj_truncate",
    "data_obj_unlink",
    "data_obj_write",
    "exec_my_rule",
    "gen_query",
    "general_admin",
    "genquery2",
    "get_file_descriptor_info",
    "get_library_features",
    "get_temp_password",
    "get_temp_password_for_other",
    "mod_access_control",
    "mod_avu_metadata",
    "mod_data_obj_meta",
    "phy_path_reg",
    "replica_close",
    "replica_truncate",
    "rm_coll",
    "rule_exec_del",
    "specific_query",
    "ticket_admin",
    "touch",
    "user_admin",
]


def quick_names() -> list[str]:
    """The part that ``make test`` runs."""
    return QUICK_FILES + [f"{case}.{test}" for case, tests in QUICK_TESTS.items() for test in tests.split()]


def failures(results: list[FileResult]) -> list[str]:
    return [f"{t.test}: {t.reason}" for result in results for t in result.tests if t.outcome == "failed"]


def test_a_part_that_touches_every_api_passes() -> None:
    """None of the quick tests fails, and no API that the suite uses is left out."""
    quick = prc_suite.run(quick_names(), trace=True)

    assert failures(quick.files) == []
    assert sum(result.count("passed") for result in quick.files) >= 120
    assert sorted(set(APIS) - quick.apis) == []


@pytest.mark.long
def test_the_whole_suite_passes_and_the_page_says_so() -> None:
    """All 309 tests run, at least 290 pass, and docs/peers/python-irodsclient.md is what this run would write."""
    results = prc_suite.run([]).files

    assert sum(len(result.tests) for result in results) == 309
    assert failures(results) == []
    assert sum(result.count("passed") for result in results) >= ENOUGH
    assert prc_page.page(results) == prc_page.PAGE.read_text(encoding="utf-8")


def test_the_real_servers_column_is_complete() -> None:
    """The baseline has every file of the suite, 309 tests in all."""
    assert sorted(prc_page.REAL) == prc_suite.suite_files()
    assert sum(sum(counts) for counts in prc_page.REAL.values()) == 309


def test_a_page_names_what_did_not_pass() -> None:
    """Failures and skips are listed with their reasons, in tables that Markdown can read."""
    tests = [Outcome("irods.test.x.C.good", "passed"), Outcome("irods.test.x.C.bad", "failed", "a|b <x>")]
    text = prc_page.page([FileResult("access", 1.0, tests)])

    assert "| access | 2 | 1 | 1 | 0 | 14 | 0 | 0 |" in text
    assert "| access | bad | a\\|b &lt;x> |" in text
