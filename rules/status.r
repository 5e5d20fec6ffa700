# status of a job: see rules/README.md
sluice_status_file {
  sluice_status(*job, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *job="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
