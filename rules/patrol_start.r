# start of the patrol (administrators): see rules/README.md
sluice_patrol_start_file {
  sluice_patrol_start(*response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *show="json", *response="", *text=""
OUTPUT ruleExecOut
