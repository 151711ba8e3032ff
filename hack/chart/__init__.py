"""The generated parts of charts/drover: what it shares with crds/, config/, monitoring/ and the package's version."""
