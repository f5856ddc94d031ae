"""Map sheets: a product, an area and sources become a sheet. Knows nothing of servers and HTTP."""
