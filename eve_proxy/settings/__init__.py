"""The table of environment variables, and how one text becomes one value. Reads nothing by itself: see config.py."""
