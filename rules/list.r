# the caller's jobs: see rules/README.md
sluice_list_file {
  sluice_list(*filter, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *filter="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
