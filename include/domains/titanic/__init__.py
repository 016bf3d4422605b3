"""Who survived the Titanic: a classifier that is proven before it is served."""
