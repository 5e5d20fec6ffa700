# rekey: see rules/README.md
sluice_rekey_file {
  sluice_request("rekey", *source, *target, *options, *response);
  writeLine("stdout", *response);
}
INPUT *source="", *target="", *options="", *response=""
OUTPUT ruleExecOut
