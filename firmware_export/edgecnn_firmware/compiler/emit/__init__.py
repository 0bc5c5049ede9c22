"""Planned graph -> C text, one op family a file; `program.py` writes the files."""
