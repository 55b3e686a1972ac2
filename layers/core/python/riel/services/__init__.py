"""One function for each thing that the business can ask for: load, decide, write once, return."""
