"""The pages: responses for browsers. Each module holds the handlers of one group; `rendering` draws pages for all."""
