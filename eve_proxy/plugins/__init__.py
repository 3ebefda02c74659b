"""Where pre-filter drop-ins live: ours, and modules that others install under the same path (docs/plugins.md).

A plugin package in Twisted's sense: every ``eve_proxy/plugins/`` folder on ``sys.path`` is part of it.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))  # type: ignore[no-untyped-call]
__all__: list[str] = []
