"""A module of helpers that strayed into the DAG folder."""


def double(number):
    return 2 * number
