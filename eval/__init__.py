"""How well a system retrieves: measures, runs, evaluation; the benchmarks against the peers lie in `bench/`."""
