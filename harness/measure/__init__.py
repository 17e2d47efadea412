"""The instruments: clock, noise, memory, energy, quality, likelihood. They know numbers, no framework."""
