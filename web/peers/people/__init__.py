"""Plays synthetic patients and providers: their actions, and what they see."""
