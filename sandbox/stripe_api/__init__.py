"""Stripe's HTTP face: the part of its API v1 that a shop with card payments uses, and a stand-in for Stripe.js."""
