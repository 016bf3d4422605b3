"""The retail example: loads, aggregates and reports a wholesaler's daily files, in one DAG and in several."""
