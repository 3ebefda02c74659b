"""The entry point for programs (route LIBRARY, guide section 7): ``@enforce`` around a function. Never reaches Twisted.

``decorator`` wraps; ``call`` is one call on the pipeline; ``call_text`` is what of it is judged; ``waiting`` and
``runners`` are the threads and the deadline. The decorator alone is light: pipeline and zope load at the first call.
"""
