# pause of the service (administrators): see rules/README.md
sluice_pause_file {
  sluice_pause(*reason, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *reason="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
