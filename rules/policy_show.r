# what would happen to data that arrives at a path: see rules/README.md
sluice_policy_show_file {
  sluice_policy_show(*path, *response);
  writeLine("stdout", *response);
}
INPUT *path="", *response=""
OUTPUT ruleExecOut
