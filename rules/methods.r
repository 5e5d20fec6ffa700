# what this zone can do: see rules/README.md
sluice_methods_file {
  sluice_methods(*response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *show="json", *response="", *text=""
OUTPUT ruleExecOut
