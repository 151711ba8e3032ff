"""UsageRecord: what a namespace has used in a month."""
