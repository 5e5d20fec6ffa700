# replicate: see rules/README.md
sluice_replicate_file {
  sluice_request("replicate", *source, "", "replica=*replica;*options", *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *source="", *replica="", *options="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
