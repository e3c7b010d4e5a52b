"""What it costs and how quick it is: `make bench` measures, docs/benchmarks.md tells."""
