"""Floor 2: canonical bytes, signers, and offline verification. The verifying half imports neither Twisted nor zope."""
