"""The geoprocessing service (GPServer) over HTTP, and its toolbox."""
