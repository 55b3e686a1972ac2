"""The function that takes the PSPs' events."""
