"""The names that other parts call: rules by name, and where things lie in a zone."""

from __future__ import annotations

# Named rules; each takes strings and hands a JSON text back in its last argument.
SUBMIT = "sluice_submit"  # (request, response)
REQUEST = "sluice_request"  # (operation, source, target, options, response): short parameters for irule
STATUS = "sluice_status"  # (job id, response)
LIST = "sluice_list"  # (filter, response)
CANCEL = "sluice_cancel"  # (job id, response)
RETRY = "sluice_retry"  # (job id, response)
METHODS = "sluice_methods"  # (response)
SYSTEMS = "sluice_systems"  # (options, response): the systems of staging; 'check=<name>': whether one works
PLAN = "sluice_plan"  # (request, response): what a job would do and need; nothing is created
PLAN_REQUEST = "sluice_plan_request"  # (operation, source, target, options, response)
POLICY_SHOW = "sluice_policy_show"  # (path, response)
POLICY_SET = "sluice_policy_set"  # (collection, policy, response); '' takes it away
PATROL_START = "sluice_patrol_start"  # (response)
PAUSE = "sluice_pause"  # (reason, response): administrators
RESUME = "sluice_resume"  # (response): administrators
SELFCHECK = "sluice_selfcheck"  # (response): administrators
SHOW = "sluice_show"  # ('text' or 'json', response, text): an answer for people to read

KEYS_PREFIX = "sluice_keys_"  # + list, show, create, grant, revoke, rotate, disable, enable, destroy, recover, share

# Rules that only Sluice's own delayed rules call.
RUN = "sluice_run"  # (job id)
DRAIN = "sluice_drain"  # (collection id)
PATROL = "sluice_patrol"  # ()

POLICY_ATTRIBUTE = "sluice::policy"  # on a collection: what to do with what is put there
ARRIVED_ATTRIBUTE = "sluice::arrived"  # on a data object: seen by a hook, not yet part of a job
TAKEN_ATTRIBUTE = "sluice::taken"  # on a data object: when the content was written that a policy's job took

# What the engine wrote about a data object's encoding.
ENCODING_ATTRIBUTE = "sluice::encoding"
KEY_ATTRIBUTE = "sluice::key"
PLAIN_SIZE_ATTRIBUTE = "sluice::plain_size"
PLAIN_SHA256_ATTRIBUTE = "sluice::plain_sha256"
PLAIN_NAME_ATTRIBUTE = "sluice::plain_name"
MADE_BY_ATTRIBUTE = "sluice::job"
REPLACED_ATTRIBUTE = "sluice::replaced"  # on an object that is being replaced: its name, while it has a hidden one
REPLICATING_ATTRIBUTE = "sluice::replicating"  # on a data object while the server replicates it for a job
REPLICA = "sluice::replica"  # on what 'replicate' copied as a whole: the path of the copy
REPLICA_OF = "sluice::replica_of"  # on a copy that 'replicate' made: the path of its parent

# The application name of the engine's own connections; hooks leave alone what it writes.
ENGINE_OPTION = "sluice-engine"
