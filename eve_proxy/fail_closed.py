"""The guide's library interface: ``from eve_proxy.fail_closed import verify_certificate``.

Importing it loads neither Twisted nor zope: an auditor's script needs only the offline half.
"""

from eve_proxy.signing.verification import verify_certificate

__all__ = ["verify_certificate"]
