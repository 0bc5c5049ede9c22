"""Middle floor of edgecnn: the same windows to every engine, statistics of what came out, and the report."""
