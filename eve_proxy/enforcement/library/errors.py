"""What a caller of an enforced function has to expect."""

from __future__ import annotations

from typing import Any

from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.errors import EveError


class FailClosedError(EveError):
    """The call was refused, or it failed after it had been allowed. Nothing of its result is handed out.

    Its ``__cause__`` is the exception of the function, or of reading its text, when there was one.

    :ivar certificate: signed; ``certificate.to_dict()`` has ``verdict``, ``reason`` and ``matched_pillar``. None only
        when signing itself failed.
    """

    def __init__(self, reason: str, certificate: DecisionCertificate | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.certificate = certificate

    def __str__(self) -> str:
        """One line for a log: what, by which rule, why, and under which number it is recorded."""
        if self.certificate is None:
            return f"fail_closed: {self.reason} (no certificate)"
        draft = self.certificate.draft
        rule = draft.matched_pillar or "none"
        return f"{draft.verdict} (pillar {rule}): {draft.reason} [{draft.certificate_id}]"

    def __reduce__(self) -> tuple[Any, ...]:
        """It crosses process borders whole."""
        return type(self), (self.reason, self.certificate)
