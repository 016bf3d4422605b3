"""Opens files of rows: recognises compression and format, and reads JSON exactly."""
