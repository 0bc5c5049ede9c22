"""Networks over windows that slide: rows that the window before had too are kept, not computed again."""
