"""Where jobs live: events, the folded row, payloads and files."""
