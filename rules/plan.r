# dry run of a request: see rules/README.md
sluice_plan_file {
  sluice_plan_request(*operation, *source, *target, *options, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *operation="", *source="", *target="", *options="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
