"""MigrationPlan: many moves as one intention."""
