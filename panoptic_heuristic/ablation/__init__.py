"""The network runs once; what every fusion setting makes of its predictions is worked out afterwards."""
