"""Words that often stand together, joined to one token."""
