"""What the parts have counted, for Prometheus (docs/metrics.md).

Read when somebody asks, never on the request path: no part below this floor knows of it, or of ``prometheus_client``.
"""
