"""The configuration: every variable read once, into one frozen value, or every fault at once (law 6).

The table is ``settings/variables.py``. Nothing else in the daemon reads the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from eve_proxy.governance.address import GovernanceAddress
from eve_proxy.interfaces import ISigner
from eve_proxy.model.errors import ConfigurationError
from eve_proxy.model.text import clean
from eve_proxy.pdp.policy import Policy
from eve_proxy.policy.clients import AllowedClients
from eve_proxy.policy.networks import AllowedNetworks
from eve_proxy.policy.parent_address import ParentAddress
from eve_proxy.policy.ports import PortSet
from eve_proxy.policy.suffixes import HostSet
from eve_proxy.settings.agreement import check_agreement
from eve_proxy.settings.files import ReadFile
from eve_proxy.settings.files import read_file as read_real_file
from eve_proxy.settings.key_source import KeySource
from eve_proxy.settings.kinds import split_names
from eve_proxy.settings.names import sort_names
from eve_proxy.settings.reading import Entry, Reading, digest
from eve_proxy.settings.secret import Secret
from eve_proxy.settings.variables import BY_NAME, VARIABLES
from eve_proxy.signing.public_key import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One attribute per variable (``settings/variables.py``); times in seconds, sizes in bytes.

    :ivar metrics_host: None when EVE_PROXY_HOST's is taken.
    :ivar allowed_hosts: None when the allowlist is off.
    :ivar signer: what signs: EVE_PROXY_SIGNING_KEY_FILE, or else JWT_SECRET_KEY.
    :ivar key_source: where it was read, to be read again.
    :ivar governance_keys: the keys in EVE_PROXY_GOVERNANCE_JWKS; none when it is not set.
    :ivar upstream_proxy_credentials: the value of Proxy-Authorization, made of the file; so for governance_proxy.
    :ivar policy: what the embedded governor goes by; None when a decision service is asked.
    :ivar entries: where each value comes from, in the table's order, then the variables of plugins.
    :ivar warnings: what starts all the same but should be known, one line each.
    """

    host: str
    port: int
    upstream_timeout: float
    enforce_timeout: float
    max_body: int
    blocked_hosts: HostSet
    org_id: str
    fail_closed: bool
    connect_passthrough: bool
    hmac_secret: Secret | None
    signing_key_file: Path | None
    signer: ISigner
    key_source: KeySource
    audit_log: Path
    audit_sync: Literal["batch", "off"]
    audit_rotate_bytes: int
    audit_timeout: float
    governance: GovernanceAddress
    governance_insecure: bool
    governance_ca: Path | None
    governance_cert: Path | None
    governance_key: Path | None
    governance_token: Secret | None
    governance_auth: str
    governance_breaker: int
    governance_concurrency: int
    governance_redact_headers: frozenset[str]
    governance_redact_query: frozenset[str]
    governance_jwks: Path | None
    governance_keys: tuple[PublicKey, ...]
    policy_set: str
    policy_file: Path | None
    policy: Policy | None
    allow_modify: bool
    allowed_networks: AllowedNetworks
    allowed_hosts: HostSet | None
    allowed_clients: AllowedClients
    connect_ports: PortSet
    connect_sni: Literal["strict", "log", "off"]
    transparent_port: int
    transparent_verify: Literal["dial-name", "strict", "off"]
    transparent_unnamed: Literal["refuse", "address"]
    max_buffered: int
    max_connections: int
    upstream_proxy: ParentAddress | None
    upstream_proxy_credentials_file: Path | None
    upstream_proxy_credentials: Secret | None
    upstream_ca: Path | None
    upstream_no_proxy: HostSet
    upstream_proxy_by: Literal["address", "name"]
    governance_proxy: ParentAddress | None
    governance_proxy_credentials_file: Path | None
    governance_proxy_credentials: Secret | None
    governance_proxy_ca: Path | None
    prefilters: tuple[str, ...]
    ready_needs_governor: bool
    metrics_port: int
    metrics_host: str | None
    entries: tuple[Entry, ...] = field(repr=False)
    warnings: tuple[str, ...]

    def settings(self) -> Mapping[str, str]:
        """The effective text of every ``EVE_PROXY_*`` variable but the secrets: what plugin makers are given."""
        return {entry.name: entry.text for entry in self.entries if not entry.secret and entry.name.startswith("EVE_")}


Declared = Callable[[Sequence[str]], Iterable[str]]


def _nothing_found(names: Sequence[str]) -> Iterable[str]:
    raise ConfigurationError(
        (
            f"EVE_PROXY_PREFILTERS={clean(','.join(names), 80)!r}: only the daemon runs plugins, not the library;"
            " unset it for this process",
        )
    )


def parse(
    environ: Mapping[str, str], *, read_file: ReadFile = read_real_file, declared: Declared = _nothing_found
) -> Config:
    """Read the whole configuration.

    :param read_file: opens the files that variables name.
    :param declared: pre-filter names to the further ``EVE_PROXY_*`` names that their plugins read; those are accepted
        as they are. Asked only when EVE_PROXY_PREFILTERS names something; the daemon's is ``discover``'s. Without it,
        a named plugin is a fault: a required pre-filter must not vanish.
    :raises ConfigurationError: every fault, sorted, none of them showing a secret.
    """
    faults: list[str] = []
    foreign: list[str] = []
    plugins = split_names(environ.get("EVE_PROXY_PREFILTERS", ""))
    if plugins:
        try:
            foreign = sorted(set(declared(plugins)) - set(BY_NAME))
        except ConfigurationError as error:
            faults += error.faults
    names = sort_names(environ, {*BY_NAME, *foreign})
    reading = Reading(
        texts=names.ours,
        read_file=read_file,
        credentials=environ.get("CREDENTIALS_DIRECTORY"),
        faults=[*faults, *names.faults],
        warnings=[*names.warnings],
    )
    for variable in VARIABLES:
        reading.take(variable)
    reading.entries += [
        Entry(
            name=name,
            text=names.ours[name],
            source="env",
            help="Read by a pre-filter plugin",
            guarded=True,
            sha256=digest(names.ours[name].encode("utf-8", "surrogateescape")),
        )
        for name in foreign
        if name in names.ours
    ]
    check_agreement(reading)
    if reading.faults:
        raise ConfigurationError(tuple(sorted(reading.faults)))
    # One field per row of the table: a test compares the two.
    return Config(**reading.values, entries=tuple(reading.entries), warnings=tuple(reading.warnings))  # type: ignore[arg-type]
