"""Synthetic patients and providers: what each does and sees."""
