# what would happen to data that arrives at a path: see rules/README.md
sluice_policy_show_file {
  sluice_policy_show(*path, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *path="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
