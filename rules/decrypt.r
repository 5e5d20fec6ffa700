# decrypt: see rules/README.md
sluice_decrypt_file {
  sluice_request("decrypt", *source, *target, *options, *response);
  writeLine("stdout", *response);
}
INPUT *source="", *target="", *options="", *response=""
OUTPUT ruleExecOut
