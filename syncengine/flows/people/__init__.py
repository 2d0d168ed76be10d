"""What people decide: answers, links by hand, undo."""
