# the systems of staging ('check=<name>': whether one works): see rules/README.md
sluice_systems_file {
  sluice_systems(*options, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *options="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
