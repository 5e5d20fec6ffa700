# duplicate: see rules/README.md
sluice_duplicate_file {
  sluice_request("duplicate", *source, *target, *options, *response);
  writeLine("stdout", *response);
}
INPUT *source="", *target="", *options="", *response=""
OUTPUT ruleExecOut
