"""What a sound is: a vehicle's driving noise, or something that must found no case."""
