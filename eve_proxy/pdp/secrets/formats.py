"""Credentials that can be told by their form: a fixed prefix, a fixed length. One row each.

A credential on its way to whoever issued it is not leaving: ``homes`` are those hosts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One well-known credential.

    :ivar pattern: RE2 over bytes, without capturing groups.
    :ivar homes: suffixes of whole labels where it belongs.
    """

    name: str
    pattern: bytes
    homes: tuple[str, ...] = ()


FORMATS: Final = (
    Format(name="aws", pattern=rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b", homes=("amazonaws.com",)),
    Format(name="github", pattern=rb"\bgh[pousr]_[A-Za-z0-9]{36,251}\b", homes=("github.com",)),
    Format(name="github", pattern=rb"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b", homes=("github.com",)),
    Format(name="gitlab", pattern=rb"\bgl(?:pat|dt|rt|ptt|cbt)-[A-Za-z0-9_-]{20,64}\b", homes=("gitlab.com",)),
    Format(name="slack", pattern=rb"\bxox[abeprs]-[0-9]{8,14}-[A-Za-z0-9-]{16,}\b", homes=("slack.com",)),
    Format(name="slack", pattern=rb"\bxapp-[0-9]-[A-Z0-9]{8,}-[0-9]+-[a-f0-9]{32,}\b", homes=("slack.com",)),
    Format(name="slack", pattern=rb"hooks\.slack\.com/services/T[A-Z0-9]{7,}/B[A-Z0-9]{7,}/[A-Za-z0-9]{20,}"),
    Format(name="stripe", pattern=rb"\b[sr]k_live_[A-Za-z0-9]{20,}\b", homes=("stripe.com",)),
    Format(name="openai", pattern=rb"\bsk-[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}", homes=("openai.com",)),
    Format(name="openai", pattern=rb"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}", homes=("openai.com",)),
    Format(name="anthropic", pattern=rb"\bsk-ant-[a-z0-9]{3,8}-[A-Za-z0-9_-]{40,}", homes=("anthropic.com",)),
    Format(name="google", pattern=rb"\bAIza[A-Za-z0-9_-]{35}", homes=("googleapis.com", "google.com")),
    Format(name="google", pattern=rb"\bGOCSPX-[A-Za-z0-9_-]{28}", homes=("googleapis.com", "google.com")),
    Format(name="npm", pattern=rb"\bnpm_[A-Za-z0-9]{36}\b", homes=("npmjs.org", "npmjs.com")),
    Format(name="pypi", pattern=rb"\bpypi-AgE[A-Za-z0-9_-]{50,}", homes=("pypi.org",)),
    Format(name="sendgrid", pattern=rb"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", homes=("sendgrid.com",)),
    Format(name="digitalocean", pattern=rb"\bdo[opr]_v1_[a-f0-9]{64}\b", homes=("digitalocean.com",)),
    Format(name="hugging face", pattern=rb"\bhf_[A-Za-z]{34}\b", homes=("huggingface.co",)),
    Format(name="shopify", pattern=rb"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b", homes=("myshopify.com",)),
    Format(name="telegram", pattern=rb"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b", homes=("telegram.org",)),
    Format(name="vault", pattern=rb"\bhvs\.[A-Za-z0-9_-]{24,}", homes=("hashicorp.cloud",)),
    Format(name="age", pattern=rb"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    Format(name="azure", pattern=rb"AccountKey=[A-Za-z0-9+/]{86}==", homes=("windows.net",)),
    Format(name="private key", pattern=rb"-----BEGIN (?:[A-Z0-9]+ )*"
        rb"PRIVATE KEY(?: BLOCK)?-----\s{0,4}[A-Za-z0-9+/=:]{20}"),
    Format(name="database", pattern=rb"\b(?:postgres(?:ql)?"
        rb"|mysql|mongodb(?:\+srv)?|rediss?|amqps?)://[^\s:@/]{1,64}:[^\s@/${}<>]{12,128}@"),
)  # fmt: skip
