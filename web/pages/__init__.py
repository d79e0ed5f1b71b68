"""The pages: responses for browsers. Each module holds the handlers of one group of pages; `rendering`
fills templates.
"""
