"""Pillar 128b, ordinal quine: protected terms written as numbers or in an encoding, for the recipient to decode.

Pure and linear: lists of numbers are matched as they stand, encodings are undone window by window in C, at most
three layers deep.
"""
