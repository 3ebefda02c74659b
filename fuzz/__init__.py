"""Fuzz targets: one module each, importable without atheris (README.md says how to run them and keep a finding).

A target is a module with ``examine(data)``, which raises for a finding and returns for everything else, ``seeds()``,
``DICTIONARY`` and ``LONGEST``. What several of them need is in ``choices``, ``strictness``, ``opinions``, ``signed``.
"""
