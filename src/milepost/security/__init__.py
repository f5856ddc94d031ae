"""People, passwords, tokens and certificates."""
