"""Simulates the three machines and their faults around the very code that decides the terms."""
