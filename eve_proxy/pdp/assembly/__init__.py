"""Pillar 128, symbolic assembly: fragments plus instructions, put together in shadow and compared with the vocabulary.

Everything here is pure and linear. Whole texts are only touched by calls that run in C (translate, split, join,
re2); Python loops run over bounded numbers of fragments, definitions and candidates.
"""
