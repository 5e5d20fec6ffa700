# encrypt: see rules/README.md
sluice_encrypt_file {
  sluice_request("encrypt", *source, *target, *options, *response);
  writeLine("stdout", *response);
}
INPUT *source="", *target="", *options="", *response=""
OUTPUT ruleExecOut
