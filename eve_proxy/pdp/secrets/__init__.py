"""Secrets leaving: credentials in bodies and URLs. Headers are not looked at: an application's own are normal there."""
