"""Which latent space: the model that all families make, a file per family, and the choice among them."""
