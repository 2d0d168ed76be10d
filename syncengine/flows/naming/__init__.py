"""What records are called, and what of them whoever looks may see."""
