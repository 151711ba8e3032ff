"""VirtualMachine: a guest, from a manifest to a host and back."""
