"""Ansible module: a file with a given content. Truthful in check mode, and its diff hides the secrets in it."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: sluice_file
short_description: A file with a given content
description:
  - Writes beside and renames, so that a reader sees the old file or the new one, whole.
  - In check mode its folder, owner and group need not exist yet.
options:
  path: {type: path, required: true, description: The file.}
  content: {type: str, description: Its whole content.}
  source: {type: path, description: Instead of content, a file of this host that holds it; no diff is shown of it.}
  mode: {type: str, default: "0644", description: Its mode, octal.}
  owner: {type: str, description: Its owner.}
  group: {type: str, description: Its group.}
  secrets: {type: list, elements: str, default: [], description: Texts within the content that no output may show.}
  validate: {type: list, elements: str, default: [], description: "Checks the new content, which is in the file %s."}
"""


def main() -> None:
    """Write the file if its content, mode or owner differs."""
    module = AnsibleModule(
        {
            "path": {"type": "path", "required": True},
            "content": {"type": "str"},
            "source": {"type": "path"},
            "mode": {"type": "str", "default": "0644"},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "validate": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
        required_one_of=[("content", "source")],
        mutually_exclusive=[("content", "source")],
    )
    given = module.params
    path, before = given["path"], _text(given["path"])
    content = given["content"] if given["source"] is None else _text(given["source"])
    if content is None:
        module.fail_json(msg=f"{given['source']} is not there")
    diff = {} if given["source"] else _diff(path, before or "", content, given["secrets"])
    if module.check_mode:
        module.exit_json(changed=before != content or not _has_attributes(given), diff=diff)
    if before != content:
        _write(module, path, content)
    attributes = module.load_file_common_arguments({**given, "attributes": None})
    changed = module.set_fs_attributes_if_different(attributes, before != content)
    module.exit_json(changed=changed, diff=diff)


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _has_attributes(given: dict) -> bool:
    """Whether mode, owner and group are as wanted; an account that is not there yet owns nothing."""
    try:
        found = os.stat(given["path"])
        owner = found.st_uid if given["owner"] is None else pwd.getpwnam(given["owner"]).pw_uid
        group = found.st_gid if given["group"] is None else grp.getgrnam(given["group"]).gr_gid
    except (FileNotFoundError, KeyError):
        return False
    wanted = (int(given["mode"], 8), owner, group)
    return (found.st_mode & 0o7777, found.st_uid, found.st_gid) == wanted


def _diff(path: str, before: str, after: str, secrets: list[str]) -> dict:
    headers = {"before_header": path, "after_header": path}
    return {"before": _hidden(before, secrets), "after": _hidden(after, secrets), **headers}


def _hidden(text: str, secrets: list[str]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "(secret)")
    return text


def _write(module: AnsibleModule, path: str, content: str) -> None:
    handle, beside = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        # its final mode and owner before anybody can find it under its final name, and for who validates it
        owner, group = module.params["owner"], module.params["group"]
        if owner or group:
            shutil.chown(beside, owner, group)
        os.chmod(beside, int(module.params["mode"], 8))
        if module.params["validate"]:
            command = [word.replace("%s", beside) for word in module.params["validate"]]
            code, output, error = module.run_command(command)
            if code:
                module.fail_json(msg=f"{path}: the new content is refused: {error or output}")
        os.replace(beside, path)
    finally:
        if os.path.exists(beside):
            os.unlink(beside)


if __name__ == "__main__":
    main()
