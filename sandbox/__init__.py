"""Simulated payment providers: their HTTP APIs on 127.0.0.1, for the demo and for tests. No money moves."""
