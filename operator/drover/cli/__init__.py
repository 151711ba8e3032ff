"""The command line: ``drover run``, ``drover simulate``, ``drover version``."""
