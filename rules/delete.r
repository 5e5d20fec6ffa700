# delete: see rules/README.md
sluice_delete_file {
  sluice_request("delete", *source, "", *options, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *source="", *options="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
