"""VirtualMachineMigration: one VM, one live move."""
