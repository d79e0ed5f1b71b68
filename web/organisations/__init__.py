"""Defines and stores an organisation's settings and documents."""
