"""What ``benchmarks/requests.py`` is made of: daemons to measure, clients that load them, and the table."""
