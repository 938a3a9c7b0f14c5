"""The package for Lambda and the one for this machine are the same recipe's: what is proven of one holds of the other."""
