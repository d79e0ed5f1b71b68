"""Makes backups of a whole store and of the data folder's files in one encrypted file, and restores them."""
