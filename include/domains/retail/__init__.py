"""The retail case: a wholesaler's daily files, checked, added up, reported; by one DAG, and by three."""
