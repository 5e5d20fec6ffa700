# start of the patrol (administrators): see rules/README.md
sluice_patrol_start_file {
  sluice_patrol_start(*response);
  writeLine("stdout", *response);
}
INPUT *response=""
OUTPUT ruleExecOut
