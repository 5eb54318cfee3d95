"""Text to learn from: a table of sources, fetching, cleaning, and splitting."""
