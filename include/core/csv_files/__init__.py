"""Streams CSV files of any size into the warehouse; each rejected row is kept with its line and reason."""
