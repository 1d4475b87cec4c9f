"""What reading devices costs: `cuebird bench hardware`."""
