"""Seeded runs of the whole engine against vendors in memory: what ``syncengine simulate`` does."""
