"""CSV files of any size into the warehouse: streamed, row by row, each refused row with its line and reason."""
