# stage: see rules/README.md
sluice_stage_file {
  sluice_request("stage", *source, *target, *options, *response);
  writeLine("stdout", *response);
}
INPUT *source="", *target="", *options="", *response=""
OUTPUT ruleExecOut
