"""What every picture is drawn from: attention weights with their tokens; numpy alone."""
