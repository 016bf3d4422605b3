"""The examples, a package each; none of them imports another."""
