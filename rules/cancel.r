# cancel of a job: see rules/README.md
sluice_cancel_file {
  sluice_cancel(*job, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *job="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
