"""What the families that compute with torch share."""
