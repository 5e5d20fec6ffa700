# the systems of staging ('check=<name>': whether one works): see rules/README.md
sluice_systems_file {
  sluice_systems(*options, *response);
  writeLine("stdout", *response);
}
INPUT *options="", *response=""
OUTPUT ruleExecOut
