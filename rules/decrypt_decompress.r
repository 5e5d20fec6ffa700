# decrypt_decompress: see rules/README.md
sluice_decrypt_decompress_file {
  sluice_request("decrypt_decompress", *source, *target, *options, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *source="", *target="", *options="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
