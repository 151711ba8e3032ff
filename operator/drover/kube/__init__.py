"""The Kubernetes shell: watches through Kopf, writes through the official client, and the Lease. It decides nothing."""
