"""The pages of patients and guests."""
