"""The pages: what a browser is answered. A module holds the handlers of one group; `rendering` draws for all."""
