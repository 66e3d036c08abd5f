"""The camera beside the microphone: frames, pictures, video."""
