"""What a weather station beside the microphone says: wind, rain and cold found no case."""
