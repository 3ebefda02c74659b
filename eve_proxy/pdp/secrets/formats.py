"""Credentials that can be told by their form: a fixed prefix, a fixed length, a checksum. One row each.

Sources are the issuers' documentation and public scanners' rules. A credential on its way to whoever issued it is not
leaving: ``homes`` are those hosts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eve_proxy.pdp.secrets.checks import crc32_in_base62

_URL: Final = rb"[A-Za-z0-9_-]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One well-known credential.

    :ivar pattern: RE2 over bytes, without capturing groups.
    :ivar homes: suffixes of whole labels where it belongs.
    :ivar proof: whether a hit proves itself by a checksum. One that does not must look random instead: the last
        letter of a token is quickly changed by whoever wants it to pass.
    :ivar secret: the bytes before which a hit holds no secret: what follows the last of them has to look random.
    :ivar beside: what stands somewhere else in the text.
    """

    name: str
    pattern: bytes
    homes: tuple[str, ...] = ()
    proof: Callable[[bytes], bool] | None = None
    secret: bytes = b""
    beside: bytes = b""


_GITHUB: Final = ("github.com", "githubusercontent.com", "ghcr.io")
_GOOGLE: Final = ("googleapis.com", "google.com")
_AZURE: Final = ("windows.net", "azure.com", "microsoft.com", "microsoftonline.com")

FORMATS: Final = (
    # Clouds
    Format(name="aws", pattern=rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b", homes=("amazonaws.com", "aws.amazon.com")),
    Format(name="aws", homes=("amazonaws.com", "aws.amazon.com"), secret=b"= :\"'",
        pattern=rb"(?i)aws_?secret_?(?:access_?)?key[\"']?\s{0,4}(?:[:=]|=>)\s{0,4}[\"']?[A-Za-z0-9/+]{40}\b"),
    Format(name="google", pattern=rb"\bAIza" + _URL + rb"{35}", homes=_GOOGLE),
    Format(name="google", pattern=rb"\bGOCSPX-" + _URL + rb"{28}", homes=_GOOGLE),
    Format(name="google", pattern=rb"\bya29\." + _URL + rb"{30,}", homes=_GOOGLE),
    Format(name="azure", pattern=rb"(?:AccountKey"
        rb"|SharedAccessKey)=[A-Za-z0-9+/]{42,86}={1,2}", homes=_AZURE, secret=b"="),
    Format(name="azure", pattern=rb"\b[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}\b", homes=_AZURE),
    Format(name="alibaba", pattern=rb"\bLTAI[A-Za-z0-9]{20}\b", homes=("aliyuncs.com",)),
    Format(name="digitalocean", pattern=rb"\bdo[opr]_v1_[a-f0-9]{64}\b", homes=("digitalocean.com",)),
    Format(name="tailscale", pattern=rb"\btskey-[a-z]{2,10}-"
        rb"[A-Za-z0-9]{8,}-[A-Za-z0-9]{16,}", homes=("tailscale.com",)),
    # Sources and packages
    Format(name="github", pattern=rb"\bgh[pousr]_[A-Za-z0-9]{36}\b", homes=_GITHUB, proof=crc32_in_base62),
    Format(name="github", pattern=rb"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b", homes=_GITHUB),
    Format(name="gitlab", pattern=rb"\bgl(?:pat|dt|rt|rtr|ptt|cbt|ft|soat|agent|imt"
        rb"|oas)-" + _URL + rb"{20,300}", homes=("gitlab.com",)),
    Format(name="npm", pattern=rb"\bnpm_[A-Za-z0-9]{36}\b", homes=("npmjs.org", "npmjs.com"), proof=crc32_in_base62),
    # A macaroon for pypi.org or test.pypi.org.
    Format(name="pypi", pattern=rb"\bpypi-Ag(?:EIcHlwaS5vcmc"
        rb"|ENdGVzdC5weXBpLm9yZw)" + _URL + rb"{50,}", homes=("pypi.org",)),
    Format(name="rubygems", pattern=rb"\brubygems_[a-f0-9]{48}\b", homes=("rubygems.org",)),
    Format(name="docker", pattern=rb"\bdckr_(?:pat|oat)_" + _URL + rb"{27,}", homes=("docker.com", "docker.io")),
    Format(name="terraform", pattern=rb"\b[A-Za-z0-9]{14}\.atlasv1\." + _URL + rb"{60,70}\b", homes=("terraform.io",)),
    Format(name="atlassian", pattern=rb"\bATATT3[A-Za-z0-9_=-]{100,200}", homes=("atlassian.com", "atlassian.net")),
    # Messages
    Format(name="slack", pattern=rb"\bxox[abeoprs]-(?:"
        rb"[0-9]-)?[0-9]{8,14}-[A-Za-z0-9-]{16,}\b", homes=("slack.com",), secret=b"-"),
    Format(name="slack", pattern=rb"\bxapp-[0-9]-"
        rb"[A-Z0-9]{8,}-[0-9]+-[a-f0-9]{32,}\b", homes=("slack.com",), secret=b"-"),
    Format(name="slack", pattern=rb"hooks\.slack\.com/(?:services|workflows"
        rb"|triggers)/T?[A-Z0-9]{8,}/B?[A-Z0-9]{8,}/[A-Za-z0-9]{20,}", secret=b"/"),
    Format(name="discord", pattern=rb"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/" + _URL + rb"{60,}", secret=b"/"),
    Format(name="sendgrid", pattern=rb"\bSG\." + _URL + rb"{22}\." + _URL + rb"{43}", homes=("sendgrid.com",)),
    Format(name="telegram", pattern=rb"\b[0-9]{8,10}:AA" + _URL + rb"{33}\b", homes=("telegram.org",)),
    # Payment and shops
    Format(name="stripe", pattern=rb"\b[sr]k_(?:live|prod)_[A-Za-z0-9]{20,}\b", homes=("stripe.com",)),
    Format(name="stripe", pattern=rb"\bwhsec_[A-Za-z0-9+/]{32,}", homes=("stripe.com",)),
    Format(name="square", pattern=rb"\bsq0(?:csp|atp)-" + _URL + rb"{22,43}", homes=("squareup.com",)),
    Format(name="shopify", pattern=rb"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b", homes=("myshopify.com",)),
    # Models and data
    Format(name="openai", pattern=rb"\bsk-[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}", homes=("openai.com",)),
    Format(name="openai", pattern=rb"\bsk-(?:proj|svcacct|admin)-" + _URL + rb"{40,}", homes=("openai.com",)),
    Format(name="openai", pattern=rb"\bsk-[A-Za-z0-9]{48}\b", homes=("openai.com",)),
    Format(name="openrouter", pattern=rb"\bsk-or-v1-[a-f0-9]{64}\b", homes=("openrouter.ai",)),
    Format(name="anthropic", pattern=rb"\bsk-ant-[a-z0-9]{3,8}-" + _URL + rb"{40,}", homes=("anthropic.com",)),
    Format(name="hugging face", pattern=rb"\bhf_[A-Za-z0-9]{34}\b", homes=("huggingface.co",)),
    Format(name="groq", pattern=rb"\bgsk_[A-Za-z0-9]{48,56}\b", homes=("groq.com",)),
    Format(name="replicate", pattern=rb"\br8_[A-Za-z0-9]{37}\b", homes=("replicate.com",)),
    Format(name="perplexity", pattern=rb"\bpplx-[A-Za-z0-9]{48}\b", homes=("perplexity.ai",)),
    Format(name="databricks", pattern=rb"\bdapi[a-f0-9]{32}\b", homes=("databricks.com", "azuredatabricks.net")),
    # Operations
    Format(name="vault", pattern=rb"\bhv[sbr]\.[A-Za-z0-9_-]{24,}", homes=("hashicorp.cloud",)),
    Format(name="grafana", pattern=rb"\bglsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}\b", homes=("grafana.net", "grafana.com")),
    Format(name="new relic", pattern=rb"\bNRAK-[A-Z0-9]{27}\b", homes=("newrelic.com",)),
    Format(name="sentry", pattern=rb"\bsntry[su]_[A-Za-z0-9+/=_-]{60,}", homes=("sentry.io",)),
    Format(name="doppler", pattern=rb"\bdp\.(?:pt|st|sa|ct)\.[A-Za-z0-9.-]{40,}", homes=("doppler.com",)),
    Format(name="postman", pattern=rb"\bPMAK-[a-f0-9]{24}-[a-f0-9]{34}\b", homes=("getpostman.com",)),
    Format(name="linear", pattern=rb"\blin_api_[A-Za-z0-9]{40}\b", homes=("linear.app",)),
    Format(name="notion", pattern=rb"\b(?:ntn_|secret_)[A-Za-z0-9]{43,46}\b", homes=("notion.com",)),
    Format(name="supabase", pattern=rb"\bsb(?:p|_secret)_[A-Za-z0-9_-]{31,}", homes=("supabase.com", "supabase.co")),
    Format(name="1password", pattern=rb"\bops_eyJ[A-Za-z0-9+/]{200,}"),
    # Keys
    Format(name="age", pattern=rb"\bAGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}\b"),
    Format(name="private key", secret=b"-\n",
        pattern=rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\s{0,4}(?:[A-Za-z-]+: "
            rb"[^\n]{0,100}\s{1,4}){0,4}[A-Za-z0-9+/=]{24}"),
    Format(name="web key", secret=b"\"", beside=b'"kty"', pattern=rb"\"d\"\s{0,2}:\s{0,2}\"" + _URL + rb"{40,}"),
    # A password in the address of a database or queue that is not on this machine.
    Format(name="database", secret=b":",
        pattern=rb"\b(?:postgres(?:ql)?|mysql2?|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql|sqlserver|clickhouse"
            rb"|cockroachdb)"
        rb"(?:\+[a-z0-9]+)?://[^\s:@/]{0,64}:[^\s@/${}<>\[\]]{8,128}@"),
)  # fmt: skip
