"""voeflow beside Comet, in one run: `make bench`, or `python -m benchmarks --help`."""
