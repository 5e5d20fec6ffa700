# decrypt_decompress: see rules/README.md
sluice_decrypt_decompress_file {
  sluice_request("decrypt_decompress", *source, *target, *options, *response);
  writeLine("stdout", *response);
}
INPUT *source="", *target="", *options="", *response=""
OUTPUT ruleExecOut
