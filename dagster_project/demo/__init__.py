"""What ships for trying Channelsafe out: the sample scenario. Nothing here runs in a real deployment."""
