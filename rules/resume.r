# end of a pause (administrators): see rules/README.md
sluice_resume_file {
  sluice_resume(*response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *show="json", *response="", *text=""
OUTPUT ruleExecOut
