"""The files that word vectors are kept in: one module for each that is read, and one for each way of writing."""
