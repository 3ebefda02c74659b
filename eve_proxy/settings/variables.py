"""Every environment variable, once. This table drives parsing, ``eve-proxy config`` and the README's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eve_proxy.settings import kinds, structured
from eve_proxy.settings.kinds import Kind

PREFIX: Final = "EVE_PROXY_"
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One row.

    :ivar field: the attribute of ``Config`` that holds its value; None for a file that holds another's value.
    :ivar default: the text that stands for an unset variable; ``""`` means that there is no value.
    :ivar source: the document that defines it.
    :ivar secret: its value is never shown.
    :ivar holds: the secret variable whose value is in the file that this one names.
    :ivar empty: ``NAME=`` with nothing after it is a value; otherwise it is a fault, because an unset shell variable
        or a missing pod label must not quietly mean the default.
    :ivar private: it names a file that other users should not be able to read.
    """

    name: str
    field: str | None
    default: str
    kind: Kind
    help: str
    source: str
    secret: bool = False
    holds: str | None = None
    empty: bool = False
    private: bool = False


def _eve(
    suffix: str,
    default: str,
    kind: Kind,
    help: str,
    source: str,
    *,
    field: str | None = None,
    empty: bool = False,
    private: bool = False,
) -> Variable:
    return Variable(
        name=PREFIX + suffix,
        field=field or suffix.lower(),
        default=default,
        kind=kind,
        help=help,
        source=source,
        empty=empty,
        private=private,
    )


def _secret(name: str, field: str, kind: Kind, help: str, source: str) -> tuple[Variable, Variable]:
    """A secret, and the file that may hold it instead."""
    return (
        Variable(name=name, field=field, default="", kind=kind, help=help, source=source, secret=True),
        Variable(
            name=f"{name}_FILE",
            field=None,
            default="",
            kind=kinds.FILE,
            private=True,
            help=f"File that holds {name} instead; one trailing newline is ignored",
            source=source,
            holds=name,
        ),
    )


_GUIDE: Final = "guide 3"
_EVIDENCE: Final = "evidence"
_GOVERNANCE: Final = "governance API"
_SECURITY: Final = "security"
_PARENT: Final = "parent proxy"

VARIABLES: Final[tuple[Variable, ...]] = (
    _eve("HOST", "0.0.0.0", kinds.ADDRESS, "Bind address", _GUIDE),  # noqa: S104 - the guide's; ALLOWED_CLIENTS guards it
    _eve("PORT", "3128", kinds.PORT, "Listen port", _GUIDE),
    _eve(
        "UPSTREAM_TIMEOUT",
        "30",
        kinds.seconds(0.1, 3600),
        "Seconds to wait for upstream's connect and first byte",
        _GUIDE,
    ),
    _eve(
        "ENFORCE_TIMEOUT", "2", kinds.seconds(0.01, 60), "Seconds for judging a request; fail-closed on overrun", _GUIDE
    ),
    _eve(
        "MAX_BODY",
        "10485760",
        kinds.octets(0, 1024 * _MIB),
        "Most request body bytes to inspect; more is a 413",
        _GUIDE,
    ),
    _eve(
        "BLOCKED_HOSTS",
        "",
        structured.HOSTS,
        "Host suffixes, addresses and networks to block outright",
        _GUIDE,
        empty=True,
    ),
    _eve(
        "ORG_ID", "default", kinds.text(128), "Tenant stamped into every certificate; set but empty is a fault", _GUIDE
    ),
    _eve(
        "FAIL_CLOSED",
        "1",
        kinds.FLAG,
        "1: a failure of judging is a 503; 0: it lets the request out (development only)",
        _GUIDE,
    ),
    _eve(
        "CONNECT_PASSTHROUGH", "1", kinds.FLAG, "1: CONNECT tunnels are judged by destination; 0: all refused", _GUIDE
    ),
    *_secret(
        "JWT_SECRET_KEY",
        "hmac_secret",
        kinds.HMAC_SECRET,
        "HMAC-SHA256 key that signs certificates; required unless EVE_PROXY_SIGNING_KEY_FILE is set",
        _GUIDE,
    ),
    _eve(
        "SIGNING_KEY_FILE",
        "",
        kinds.FILE,
        "PEM private key, Ed25519 or P-256, that signs instead; read again at SIGHUP",
        _EVIDENCE,
        private=True,
    ),
    _eve(
        "AUDIT_LOG",
        "data/governance/fail_closed/fail_closed_events.jsonl",
        kinds.PATH,
        "The journal; relative to the working directory",
        _EVIDENCE,
    ),
    _eve(
        "AUDIT_SYNC",
        "batch",
        kinds.choice("batch", "off"),
        "batch: durable before release; off: left to the system",
        _EVIDENCE,
    ),
    _eve(
        "AUDIT_ROTATE_BYTES",
        "0",
        kinds.octets(_MIB, 1 << 50, or_off=True),
        "Begin a new journal file when one has so many bytes; 0: only when somebody renames it",
        _EVIDENCE,
    ),
    _eve("AUDIT_TIMEOUT", "5", kinds.seconds(0.1, 60), "Seconds for a record to become durable; then 503", _EVIDENCE),
    _eve(
        "GOVERNANCE_URL",
        "embedded",
        structured.GOVERNANCE_URL,
        "Decision service: embedded, https://host[:port][/base], http://... or unix:/path",
        _GOVERNANCE,
        field="governance",
    ),
    _eve("GOVERNANCE_INSECURE", "0", kinds.FLAG, "1: allow http:// to a host that is not loopback", _GOVERNANCE),
    _eve("GOVERNANCE_CA", "", kinds.FILE, "PEM roots for the decision service instead of the system's", _GOVERNANCE),
    _eve("GOVERNANCE_CERT", "", kinds.FILE, "PEM client certificate for the decision service", _GOVERNANCE),
    _eve("GOVERNANCE_KEY", "", kinds.FILE, "PEM private key of that certificate", _GOVERNANCE, private=True),
    *_secret(
        "EVE_PROXY_GOVERNANCE_TOKEN",
        "governance_token",
        kinds.TOKEN,
        "Credential for the decision service",
        _GOVERNANCE,
    ),
    _eve(
        "GOVERNANCE_AUTH",
        "bearer",
        kinds.choice("bearer", "x-api-key", "x-eve-api-key"),
        "Header that carries the credential",
        _GOVERNANCE,
    ),
    _eve(
        "GOVERNANCE_BREAKER",
        "5",
        kinds.whole("count", 0, 1000),
        "Consecutive failures that open the breaker; 0: off",
        _GOVERNANCE,
    ),
    _eve("GOVERNANCE_CONCURRENCY", "256", kinds.whole("count", 1, 10000), "Most calls in flight", _GOVERNANCE),
    _eve(
        "GOVERNANCE_REDACT_HEADERS",
        "",
        kinds.HEADER_NAMES,
        "More header fields whose values are sent as keyed digests",
        _GOVERNANCE,
        empty=True,
    ),
    _eve(
        "GOVERNANCE_REDACT_QUERY",
        "key,api_key,token,access_token,sig,signature,x-amz-signature",
        kinds.QUERY_NAMES,
        "Query parameters whose values are sent as keyed digests",
        _GOVERNANCE,
        empty=True,
    ),
    _eve(
        "GOVERNANCE_JWKS",
        "",
        kinds.FILE,
        "Public keys of a service that signs its answers: one that is not signed is fail_closed",
        _GOVERNANCE,
    ),
    _eve("POLICY_SET", "egress_v1", kinds.text(128), "Policy that the decision service is asked to apply", _GOVERNANCE),
    _eve("POLICY_FILE", "", kinds.FILE, "Policy of the embedded governor instead of the shipped one", _GOVERNANCE),
    _eve(
        "ALLOW_MODIFY", "0", kinds.FLAG, "1: carry out the changes of a MODIFIED answer; 0: it is a block", _GOVERNANCE
    ),
    _eve(
        "ALLOWED_NETWORKS",
        "",
        structured.NETWORKS,
        "Guarded destinations to permit all the same: CIDR[:port]",
        _SECURITY,
        empty=True,
    ),
    _eve("ALLOWED_HOSTS", "", structured.OPTIONAL_HOSTS, "When set, only these host suffixes leave", _SECURITY),
    _eve(
        "ALLOWED_CLIENTS", "loopback", structured.CLIENTS, "Who may use the proxy: CIDRs, loopback, private", _SECURITY
    ),
    _eve("CONNECT_PORTS", "443", structured.PORTS, "Ports that CONNECT may reach: a list with ranges, or *", _SECURITY),
    _eve(
        "CONNECT_SNI",
        "strict",
        kinds.choice("strict", "log", "off"),
        "A tunnel that is not TLS to the judged host: strict severs it, log says so, off: not seen",
        _SECURITY,
    ),
    _eve(
        "TRANSPARENT_PORT",
        "15001",
        kinds.whole("port", 0, 65535),
        "Listen port for redirected connections; 0: off",
        _SECURITY,
    ),
    _eve(
        "TRANSPARENT_VERIFY",
        "dial-name",
        kinds.choice("dial-name", "strict", "off"),
        "Dial where the name leads; strict: if the client dialled that too; off: what it dialled",
        _SECURITY,
    ),
    _eve(
        "TRANSPARENT_UNNAMED",
        "refuse",
        kinds.choice("refuse", "address"),
        "Redirected, no SNI or ECH or neither HTTP nor TLS: refuse, or judge it by its address",
        _SECURITY,
    ),
    _eve(
        "MAX_BUFFERED",
        str(256 * _MIB),
        kinds.octets(0, 1 << 40),
        "Most bytes of bodies held at once; then 503",
        _SECURITY,
    ),
    _eve("MAX_CONNECTIONS", "10000", kinds.whole("count", 1, 1_000_000), "Most client connections", _SECURITY),
    _eve(
        "UPSTREAM_PROXY",
        "",
        structured.parent_url("EVE_PROXY_UPSTREAM_PROXY"),
        "Parent proxy that requests leave through: http://host:port or https://host:port",
        _PARENT,
    ),
    _eve(
        "UPSTREAM_PROXY_CREDENTIALS_FILE",
        "",
        kinds.FILE,
        "File that holds user:password for it (Basic)",
        _PARENT,
        private=True,
    ),
    _eve("UPSTREAM_CA", "", kinds.FILE, "PEM roots for an https parent proxy instead of the system's", _PARENT),
    _eve(
        "UPSTREAM_NO_PROXY",
        "",
        structured.HOSTS,
        "Host suffixes, addresses and networks to reach without it",
        _PARENT,
        empty=True,
    ),
    _eve(
        "UPSTREAM_PROXY_BY",
        "address",
        kinds.choice("address", "name"),
        "address: it connects to judged addresses; name: it resolves names itself, unverified",
        _PARENT,
    ),
    _eve(
        "GOVERNANCE_PROXY",
        "",
        structured.parent_url("EVE_PROXY_GOVERNANCE_PROXY"),
        "Parent proxy to the decision service: http://host:port or https://host:port",
        _PARENT,
    ),
    _eve(
        "GOVERNANCE_PROXY_CREDENTIALS_FILE",
        "",
        kinds.FILE,
        "File that holds user:password for it (Basic)",
        _PARENT,
        private=True,
    ),
    _eve("GOVERNANCE_PROXY_CA", "", kinds.FILE, "PEM roots for it when it is https", _PARENT),
    _eve(
        "PREFILTERS",
        "",
        kinds.PLUGIN_NAMES,
        "Plugins that must be found, after the built-in pre-filters",
        "plugins",
        empty=True,
    ),
    _eve("READY_NEEDS_GOVERNOR", "0", kinds.FLAG, "1: an open breaker makes /readyz a 503", "operation"),
    _eve(
        "METRICS_PORT",
        "0",
        kinds.whole("port", 0, 65535),
        "A port of its own for /metrics, for anyone who reaches it; 0: off",
        "operation",
    ),
    _eve(
        "METRICS_HOST", "", kinds.OPTIONAL_ADDRESS, "Bind address of that port instead of EVE_PROXY_HOST", "operation"
    ),
)

BY_NAME: Final[dict[str, Variable]] = {variable.name: variable for variable in VARIABLES}
