"""HTTP in, rule call out: the shim validates, forwards and reports. No data of a job passes through it."""
