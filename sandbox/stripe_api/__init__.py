"""Simulated Stripe: the part of API v1 that a shop with card payments uses, and a replacement for Stripe.js."""
