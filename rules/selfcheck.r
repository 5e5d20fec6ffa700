# is the installation healthy (administrators): see rules/README.md
sluice_selfcheck_file {
  sluice_selfcheck(*response);
  writeLine("stdout", *response);
}
INPUT *response=""
OUTPUT ruleExecOut
