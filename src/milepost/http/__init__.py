"""What every dialect shares: request parameters, formats, envelopes of errors, tokens."""
