# verify: see rules/README.md
sluice_verify_file {
  sluice_request("verify", *source, "", *options, *response);
  writeLine("stdout", *response);
}
INPUT *source="", *options="", *response=""
OUTPUT ruleExecOut
