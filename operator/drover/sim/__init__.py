"""The simulated shell: an in-memory API server, virtual time and injected faults around the real engine."""
