"""How a scan is measured: fan-beam projection, reconstruction, dose."""
