# decompress: see rules/README.md
sluice_decompress_file {
  sluice_request("decompress", *source, *target, *options, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *source="", *target="", *options="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
