"""The egress gate: a forward proxy that asks, signs, writes down, and only then obeys.

Floors (``docs/architecture.md``): model, interfaces, policy/wire/signing, governance/audit/pdp,
decision, transport, enforcement, and the composition root. Imports point down; import-linter holds it.
"""

__version__ = "0.1.0"
