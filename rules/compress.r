# compress: see rules/README.md
sluice_compress_file {
  sluice_request("compress", *source, *target, *options, *response);
  writeLine("stdout", *response);
}
INPUT *source="", *target="", *options="", *response=""
OUTPUT ruleExecOut
