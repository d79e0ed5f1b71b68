"""Plays synthetic patients and providers: does what people do on the pages, and records what they would see."""
