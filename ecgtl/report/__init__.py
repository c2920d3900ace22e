"""From results to what a reader sees: values and tables, figures, the roles of the book, the site."""

import pandas as pd

pd.set_option("mode.string_storage", "python")  # pyarrow's strings, where it is installed, would turn Markup into text
