"""From results to what a reader sees: values and tables, figures, the roles of the book, the site."""
