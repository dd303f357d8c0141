"""The methods, one folder each: the network, its loss and what it optimises."""
