"""The demo of `riel up`: a handful of payments on their way through the real pipeline."""
