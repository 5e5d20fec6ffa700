# what this zone can do: see rules/README.md
sluice_methods_file {
  sluice_methods(*response);
  writeLine("stdout", *response);
}
INPUT *response=""
OUTPUT ruleExecOut
