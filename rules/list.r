# the caller's jobs: see rules/README.md
sluice_list_file {
  sluice_list(*filter, *response);
  writeLine("stdout", *response);
}
INPUT *filter="", *response=""
OUTPUT ruleExecOut
