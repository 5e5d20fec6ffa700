"""The job: what may be asked, which states it passes through, how the catalogue holds it. Pure: no I/O."""
