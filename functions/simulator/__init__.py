"""The simulator PSP: another company's server, as far as the rest of Riel can tell."""
