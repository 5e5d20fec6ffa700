# compress_encrypt: see rules/README.md
sluice_compress_encrypt_file {
  sluice_request("compress_encrypt", *source, *target, *options, *response);
  writeLine("stdout", *response);
}
INPUT *source="", *target="", *options="", *response=""
OUTPUT ruleExecOut
