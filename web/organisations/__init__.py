"""An organisation's settings and documents, and where they are stored."""
