"""What an operator shows of itself: metrics, health and logs."""
