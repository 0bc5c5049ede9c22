"""Open data sets that can be fetched: what they are, where they come from, and how a download is checked."""
