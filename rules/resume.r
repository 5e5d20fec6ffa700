# end of a pause (administrators): see rules/README.md
sluice_resume_file {
  sluice_resume(*response);
  writeLine("stdout", *response);
}
INPUT *response=""
OUTPUT ruleExecOut
