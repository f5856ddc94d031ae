"""What Milepost costs, each figure as a ratio to a floor or a peer measured in the same run."""
