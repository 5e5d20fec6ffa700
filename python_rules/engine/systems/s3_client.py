"""boto3 for one system: its credentials and options, and what its errors mean."""

from __future__ import annotations

import configparser
from typing import Any

import boto3
import botocore.config
import botocore.credentials
import botocore.exceptions as ex
import botocore.session

from python_rules.engine.systems.system import System
from python_rules.jobs.errors import JobError

_MISSING = {"404", "NoSuchKey", "NoSuchUpload"}
_OTHER = "412"  # the ETag is not the one that was asked for

# What the store answers, to the code and the text of a JobError; the first row that has it.
_MEANINGS: tuple[tuple[set[str], str, str], ...] = (
    (_MISSING, "source_not_found", "it does not exist"),
    ({"NoSuchBucket"}, "system_error", "the bucket is not there, or not any more"),
    ({_OTHER, "PreconditionFailed"}, "source_changed", "it was replaced while it was read"),
    (
        {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired", "401"},
        "system_refused",
        "the credentials are refused, or have expired",
    ),
    ({"RequestTimeTooSkewed"}, "system_refused", "the clocks of this host and of the store differ too much"),
    ({"AccessDenied", "403", "AllAccessDisabled"}, "not_permitted", "the credentials may not do this, or have expired"),
    ({"QuotaExceeded", "EntityTooLarge", "413", "507", "InsufficientStorage"}, "no_space", "the store takes no more"),
    ({"KeyTooLongError"}, "bad_path", "its name is too long for the store"),
    ({"BadDigest", "InvalidDigest", "InvalidPart"}, "verification_failed", "what arrived is not what was sent"),
    (
        {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "OperationAborted", "Throttling"}
        | {"408", "429", "500", "502", "503", "504", "RequestTimeoutException", "IncompleteBody"},
        "system_unavailable",
        "the store cannot serve this now",
    ),
)


def client(system: System) -> Any:
    """boto3's client for a system; it serves several threads."""
    settings = system.settings
    options = botocore.config.Config(
        region_name=settings["region"],
        connect_timeout=system.timeout,
        read_timeout=system.timeout,
        retries={"mode": "standard", "total_max_attempts": 1},  # ours are in parts.py and in the job
        max_pool_connections=int(settings["streams"]) + 1,
        proxies={},  # the environment has no say in where data goes
        s3={"addressing_style": "path" if settings["path_style"] else "virtual"},
        request_checksum_calculation="when_required",  # stores that are not Amazon's refuse the newer ones
        response_checksum_validation="when_required",
    )
    session = botocore.session.Session()
    provider = _Provider(system, session)
    session.register_component("credential_provider", botocore.credentials.CredentialResolver([provider]))
    return boto3.session.Session(botocore_session=session).client(
        "s3", endpoint_url=settings["address"], config=options, verify=settings["authority"] or True
    )


class _Provider(botocore.credentials.CredentialProvider):
    """Gives the credentials of the system's file alone; the environment has no say."""

    METHOD = "sluice"

    def __init__(self, system: System, session: botocore.session.Session) -> None:
        super().__init__(session)
        self._system = system

    def load(self) -> botocore.credentials.Credentials:
        """What botocore signs with."""
        return _Filed(self._system)


class _Filed(botocore.credentials.Credentials):
    """Read from their file for every request, so that what was renewed there is used at once."""

    def __init__(self, system: System) -> None:
        self._system = system
        frozen = self.get_frozen_credentials()
        super().__init__(frozen.access_key, frozen.secret_key, frozen.token, _Provider.METHOD)

    def get_frozen_credentials(self) -> botocore.credentials.ReadOnlyCredentials:
        """As they are now."""
        told = _credentials(self._system)
        return botocore.credentials.ReadOnlyCredentials(
            told["aws_access_key_id"], told["aws_secret_access_key"], told.get("aws_session_token")
        )


def _credentials(system: System) -> configparser.SectionProxy:
    """A section of a file as AWS's tools have it."""
    parser = configparser.RawConfigParser()
    wanted = str(system.settings["profile"])
    try:
        parser.read_string(system.secret("credentials_file"))
    except configparser.Error:
        raise system.configuration("credentials_file", "is no file of AWS credentials") from None  # it shows a line
    if not parser.has_section(wanted) or {"aws_access_key_id", "aws_secret_access_key"} - set(parser[wanted]):
        what = f"lacks aws_access_key_id or aws_secret_access_key in a section [{wanted}]"
        raise system.configuration("credentials_file", what)
    return parser[wanted]


def meaning(system: System, error: ex.ClientError | ex.BotoCoreError, path: str) -> JobError:
    """The JobError for what boto3 raises."""
    if isinstance(error, ex.SSLError):
        return system.error("system_refused", "its certificate is not trusted", remedy="check authority")
    if isinstance(error, (ex.HTTPClientError, ex.ConnectionError, ex.IncompleteReadError)):
        return system.error("system_unavailable", f"no answer ({type(error).__name__})", path)
    if not isinstance(error, ex.ClientError):
        return system.error("system_error", f"boto3 says {type(error).__name__}", path)
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    for answered in (code, status):
        for codes, known, text in _MEANINGS:
            if answered in codes:
                return system.error(known, f"{text} ({code})", path)
    return system.error("system_error", f"the store answered {code or status}", path)
