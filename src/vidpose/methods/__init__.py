"""What each method optimises: networks, data and losses together."""
