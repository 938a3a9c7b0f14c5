"""One construct a file, each owning one thing, with keyword-only typed props."""
