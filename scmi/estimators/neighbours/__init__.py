"""How bits are counted: nearest neighbours, their kernels, and the Gaussian that they are compared with."""
