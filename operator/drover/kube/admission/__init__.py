"""``drover admission``: Kopf's webhook server over a World that is only read."""
