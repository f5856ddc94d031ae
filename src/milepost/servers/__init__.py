"""One folder for each system: its URLs, its JSON, and the operations that do its work."""
