"""What people look at. Nothing in here changes anything."""
