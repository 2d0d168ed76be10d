"""Notifications: who is told of which changes of the standing, in which words."""
