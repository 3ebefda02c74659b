"""A drop-in whose dependency was uninstalled: it does not import."""

import acme_rules_that_nobody_installed  # type: ignore[import-not-found]  # noqa: F401
