"""From a query to ranked hits: search over all embedders of an index, and the fusion of their lists."""
