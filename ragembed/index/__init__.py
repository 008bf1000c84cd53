"""What is kept on disk: the catalog of documents and chunks, segments of postings and vectors, their search."""
