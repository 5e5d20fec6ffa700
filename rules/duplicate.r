# duplicate: see rules/README.md
sluice_duplicate_file {
  sluice_request("duplicate", *source, *target, *options, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *source="", *target="", *options="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
