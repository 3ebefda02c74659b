"""Floor 3: certificates in the formats of other people's tools, each with the journal's line inside. No Twisted."""
