"""The command line: ``drover run``, ``simulate``, ``explain``, ``rebalance`` and ``version``."""
