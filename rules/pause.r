# pause of the service (administrators): see rules/README.md
sluice_pause_file {
  sluice_pause(*reason, *response);
  writeLine("stdout", *response);
}
INPUT *reason="", *response=""
OUTPUT ruleExecOut
