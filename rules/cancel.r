# cancel of a job: see rules/README.md
sluice_cancel_file {
  sluice_cancel(*job, *response);
  writeLine("stdout", *response);
}
INPUT *job="", *response=""
OUTPUT ruleExecOut
