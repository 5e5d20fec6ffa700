"""Ansible module: a service under roles/service/files/supervise.py. Truthful in check mode."""

from __future__ import annotations

import json
import os

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: sluice_supervised
short_description: A service where there is no systemd
description:
  - Compares what runs with the service's description, and starts, restarts or ends it.
options:
  supervisor: {type: path, required: true, description: The supervise.py on this host.}
  path: {type: path, required: true, description: The service's description (JSON).}
  description: {type: dict, description: What should run; needed for state running.}
  state: {type: str, choices: [running, stopped], default: running, description: What should be.}
"""


def main() -> None:
    """See what runs, and change it if it is not what should."""
    module = AnsibleModule(
        {
            "supervisor": {"type": "path", "required": True},
            "path": {"type": "path", "required": True},
            "description": {"type": "dict"},
            "state": {"type": "str", "choices": ["running", "stopped"], "default": "running"},
        },
        supports_check_mode=True,
        required_if=[("state", "running", ["description"])],
    )
    running = _running(module)
    wanted = module.params["description"] if module.params["state"] == "running" else None
    diff = {"before": _shown(running), "after": _shown(wanted)}
    if running == wanted:
        module.exit_json(changed=False)
    if not module.check_mode:
        if running is not None:
            _call(module, "stop")
        if wanted is not None:
            _call(module, "start")
    module.exit_json(changed=True, restarted=running is not None and wanted is not None, diff=diff)


def _running(module: AnsibleModule) -> dict | None:
    if not os.path.exists(module.params["supervisor"]):
        return None
    code, output, _ = module.run_command(_command(module, "status"))
    return json.loads(output)["service"] if code == 0 else None


def _call(module: AnsibleModule, verb: str) -> None:
    # the supervisor keeps no descriptor of ours, or Ansible would wait for it
    code, output, error = module.run_command(_command(module, verb), close_fds=True)
    if code:
        module.fail_json(msg=f"{verb} {module.params['path']}: {error or output or f'exit status {code}'}")


def _command(module: AnsibleModule, verb: str) -> list[str]:
    return ["/usr/bin/env", "python3", module.params["supervisor"], verb, module.params["path"]]


def _shown(service: dict | None) -> str:
    return "nothing runs\n" if service is None else json.dumps(service, indent=4, sort_keys=True) + "\n"


if __name__ == "__main__":
    main()
