# decompress: see rules/README.md
sluice_decompress_file {
  sluice_request("decompress", *source, *target, *options, *response);
  writeLine("stdout", *response);
}
INPUT *source="", *target="", *options="", *response=""
OUTPUT ruleExecOut
