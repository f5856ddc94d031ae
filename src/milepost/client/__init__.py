"""A small client: submits and watches jobs of any dialect, on this server or another."""
