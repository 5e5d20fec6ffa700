"""Ansible module: run a command unless another one says that its work is done. Truthful in check mode."""

from __future__ import annotations

import re

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: sluice_ensure
short_description: A state that one command tells and another one makes
description:
  - Runs C(look); where it ends well and prints what is expected, nothing is done.
  - Otherwise C(make) is run (in check mode it is only reported), and C(look) must then agree.
options:
  look: {type: list, elements: str, required: true, description: Command that tells the state; it changes nothing.}
  expect: {type: str, default: "", description: Regular expression that the output of look must contain.}
  make: {type: list, elements: str, required: true, description: Command that makes the state.}
  look_input: {type: str, description: Standard input of look; never shown.}
  make_input: {type: str, description: Standard input of make; never shown.}
  chdir: {type: path, description: Folder in which both are run.}
  secrets: {type: dict, default: {}, description: Variables for both with secrets. C(environment) shows them to ps.}
  what: {type: str, required: true, description: The state in words, for the output.}
"""


def main() -> None:
    """Look, make, look again."""
    module = AnsibleModule(
        {
            "look": {"type": "list", "elements": "str", "required": True},
            "expect": {"type": "str", "default": ""},
            "make": {"type": "list", "elements": "str", "required": True},
            "look_input": {"type": "str", "no_log": True},
            "make_input": {"type": "str", "no_log": True},
            "chdir": {"type": "path"},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "what": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    what = module.params["what"]
    if _is_so(module):
        module.exit_json(changed=False, msg=what)
    diff = {"before": "", "after": f"{what}\n"}
    if module.check_mode:
        module.exit_json(changed=True, msg=what, diff=diff)
    code, output, error = _run(module, "make")
    if code:
        module.fail_json(msg=f"{what}: {error.strip() or output.strip() or f'exit status {code}'}")
    if not _is_so(module):
        module.fail_json(msg=f"{what}: was made, but cannot be seen")
    module.exit_json(changed=True, msg=what, diff=diff)


def _is_so(module: AnsibleModule) -> bool:
    # A program that is not installed yet has made nothing yet.
    if module.get_bin_path(module.params["look"][0]) is None:
        return False
    code, output, _ = _run(module, "look")
    return code == 0 and re.search(module.params["expect"], output) is not None


def _run(module: AnsibleModule, which: str) -> tuple[int, str, str]:
    given = module.params
    return module.run_command(
        given[which],
        data=given[f"{which}_input"],
        cwd=given["chdir"],
        environ_update=given["secrets"],
        handle_exceptions=False,
    )


if __name__ == "__main__":
    main()
