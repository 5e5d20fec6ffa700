# dry run of a request: see rules/README.md
sluice_plan_file {
  sluice_plan_request(*operation, *source, *target, *options, *response);
  writeLine("stdout", *response);
}
INPUT *operation="", *source="", *target="", *options="", *response=""
OUTPUT ruleExecOut
