# stage: see rules/README.md
sluice_stage_file {
  sluice_request("stage", *source, *target, *options, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *source="", *target="", *options="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
