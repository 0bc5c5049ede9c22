"""A bundle on a live stream: sources of samples, a bounded queue, an engine, one JSON line a result."""
