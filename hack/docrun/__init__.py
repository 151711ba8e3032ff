"""The commands of a page of the documentation, executed as a reader would: ``blocks``, ``shown``, ``session``."""
