# retry of a job: see rules/README.md
sluice_retry_file {
  sluice_retry(*job, *response);
  writeLine("stdout", *response);
}
INPUT *job="", *response=""
OUTPUT ruleExecOut
