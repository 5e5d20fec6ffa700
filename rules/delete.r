# delete: see rules/README.md
sluice_delete_file {
  sluice_request("delete", *source, "", *options, *response);
  writeLine("stdout", *response);
}
INPUT *source="", *options="", *response=""
OUTPUT ruleExecOut
