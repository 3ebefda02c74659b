"""Floor 3: the journal. Nothing is released before its line is durable (evidence.md)."""
