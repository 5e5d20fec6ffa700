"""Staging: what a source holds is moved to a target, either of them in the zone or on a configured system.

``stage`` is a job as a whole, and is reached through ``operations``; ``moving`` is one file of it.

    listing    what there is to move; ``Stage`` is the job's hold on both ends
    prepare    room and folders, before the first file
    work_on    one file: read, transform, write beside, verify, publish
    finish     what is too much at the target, and what a move leaves empty at the source
"""
