"""In which language a request is answered, and the words of each."""
