# status of a job: see rules/README.md
sluice_status_file {
  sluice_status(*job, *response);
  writeLine("stdout", *response);
}
INPUT *job="", *response=""
OUTPUT ruleExecOut
