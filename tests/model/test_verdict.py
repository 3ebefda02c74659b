"""Verdicts, and the one table that opens the gate."""

from eve_proxy.model.verdict import PERMITS, Outcome, refuse


def test_refusals_are_local_blocks() -> None:
    """A local rule signs with its own name under the pillar `local`."""
    verdict = refuse("blocklist", "listed")
    assert (verdict.outcome, verdict.pillar, verdict.vector, verdict.governor) == (
        Outcome.BLOCK,
        "local",
        "blocklist",
        "local",
    )
    assert PERMITS[verdict.outcome] is False
