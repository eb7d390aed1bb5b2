"""An app with migrations that tests interrupt. Its table is made by the test."""
