"""The compiler's ops, one family a file: frozen data that lowering makes and oracle, plan and emit read."""
