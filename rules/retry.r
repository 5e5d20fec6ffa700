# retry of a job: see rules/README.md
sluice_retry_file {
  sluice_retry(*job, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *job="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
