"""Floor 6: the entry points. Each translates its traffic into an Exchange and a Decision back into an answer."""
