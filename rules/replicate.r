# replicate: see rules/README.md
sluice_replicate_file {
  sluice_request("replicate", *source, "", "replica=*replica;*options", *response);
  writeLine("stdout", *response);
}
INPUT *source="", *replica="", *options="", *response=""
OUTPUT ruleExecOut
