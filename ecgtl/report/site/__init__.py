"""The book: notebooks are run, the site is built from them and checked, prose reads its numbers from the results."""
