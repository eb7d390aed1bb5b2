"""Simulated PayPal: the part of its REST APIs that a shop needs, and its approval pages."""
