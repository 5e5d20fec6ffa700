# verify: see rules/README.md
sluice_verify_file {
  sluice_request("verify", *source, "", *options, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *source="", *options="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
