"""A stand-in for payment providers: their HTTP faces on 127.0.0.1, for the demo and for tests. No money moves."""
