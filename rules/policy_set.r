# set a collection's policy ('' takes it away): see rules/README.md
sluice_policy_set_file {
  sluice_policy_set(*collection, *policy, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *collection="", *policy="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
