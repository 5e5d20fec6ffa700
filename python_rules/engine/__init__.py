"""The engine: turns data objects into encoded ones and back, as the job's user, in one pass and constant memory.

It runs as a child process in Sluice's own virtual environment (Python >= 3.11); nothing outside this folder
imports it. What job control (``run``, ``ledger``, ``sessions``) builds on, all errors being JobError:

    from python_rules.engine.convert import Tools, Watch, convert_object, prepare_target
    from python_rules.engine.keys import Keyring
    from python_rules.engine.parallel import Workers
    from python_rules.engine.transfer.zone import Zone

    tools = Tools(Workers(config["engine.threads"]), Keyring.of(config))     # once for each process; thread-safe
    zone = Zone(session, job_id)             # one for each worker thread; an iRODSSession of the job's user
    listing = zone.list(request.source, only=request.objects)
        # .objects: SourceObject(path, relative, size [bytes], data_id, checksum, ...), sorted by relative path
        # .collections: relative paths below the source, parents first; .is_collection; .size: sum in bytes
        # an object whose good replica is missing is listed with .trouble, and convert_object raises it
    prepare_target(zone, request, listing)   # once for each job: checks the target, makes mirrored collections
    done = convert_object(zone, request, listing, source, tools, Watch(advanced, cancelled))
        # advanced(read, written): bytes since the last call, from this thread; cancelled(): whether to stop now
        # (a JobError 'cancelled' follows and nothing is published); both must be cheap, both may be left out
        # -> Converted(source, target, skipped, plain_size, plain_sha256, stored_size, stored_sha256, encoding,
        #    key); .as_json() is one line of the results; a JobError has .object_path set to the source's path
    zone.clean(collections)                  # what earlier attempts of this job left in these collections:
                                             # hidden siblings go, an original taken away by 'replace' comes back
    open_sealed(source, key).read(offset, length)   # engine.ranges: byte ranges of zstd and aes256-gcm
    done_before = convert_object(...)        # calling it again is safe: an object that this job has published
                                             # already is recognised by its AVUs and answered without a pass

Layers, imports point downwards: convert > encoding, transfer > pipeline, ranges > codec, seal > parallel, blocks,
watch; keys stand alone.
"""
