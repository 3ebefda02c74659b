"""Floor 3: asking the decision service under a deadline. One contract, one codec (governance-api.md)."""
