# is the installation healthy (administrators): see rules/README.md
sluice_selfcheck_file {
  sluice_selfcheck(*response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *show="json", *response="", *text=""
OUTPUT ruleExecOut
