# size: see rules/README.md
sluice_size_file {
  sluice_request("size", *source, "", *options, *response);
  writeLine("stdout", *response);
}
INPUT *source="", *options="", *response=""
OUTPUT ruleExecOut
