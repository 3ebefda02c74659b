"""Pillar 89, Unicode obfuscation: terms written with look-alikes, invisible characters or a reversed direction.

Pure and linear: one pattern finds where a term could be meant, and only its neighbourhood is folded.
"""
