# size: see rules/README.md
sluice_size_file {
  sluice_request("size", *source, "", *options, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *source="", *options="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
