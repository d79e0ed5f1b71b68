"""The pages about booked visits."""
