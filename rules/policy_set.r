# set a collection's policy ('' takes it away): see rules/README.md
sluice_policy_set_file {
  sluice_policy_set(*collection, *policy, *response);
  writeLine("stdout", *response);
}
INPUT *collection="", *policy="", *response=""
OUTPUT ruleExecOut
