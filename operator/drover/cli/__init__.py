"""The command line: ``drover run``, ``simulate``, ``explain``, ``estimate``, ``rebalance`` and ``version``."""
