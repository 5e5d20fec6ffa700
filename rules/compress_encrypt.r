# compress_encrypt: see rules/README.md
sluice_compress_encrypt_file {
  sluice_request("compress_encrypt", *source, *target, *options, *response);
  sluice_show(*show, *response, *text);
  writeLine("stdout", *text);
}
INPUT *source="", *target="", *options="", *show="json", *response="", *text=""
OUTPUT ruleExecOut
