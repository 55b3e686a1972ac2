"""The Lambda functions: thin handlers over `riel.services`. They never import one another."""
